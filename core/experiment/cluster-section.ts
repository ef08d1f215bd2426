import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import type { Cluster, Gpu } from '../cluster/cluster.ts';
import { INTERCONNECT_TYPES, type ClusterDescription } from '../cluster/description.ts';
import { GPU_PRESETS } from '../cluster/gpus.ts';
import { CLUSTER_PRESETS } from '../cluster/presets.ts';
import { buildCluster } from '../cluster/topology.ts';
import { nonEmptyText, text, wholeNumber } from '../leaves.ts';
import { suggest } from '../nearest.ts';
import { mapPaths, problem, show, type Problems } from '../problem.ts';
import { chosen, closed, inside, isRecord, oneOf, readStructure } from '../structure.ts';
import { bytes, type Nanoseconds } from '../units.ts';
import { COMPUTE_RATE, positiveQuantity, quantityFromZero, SIZE, TIME, TRANSFER_RATE } from './quantity.ts';

const gpuPreset = oneOf([...GPU_PRESETS.keys()]).transform((name) => GPU_PRESETS.get(name)!);

/** tf32 and the 16-bit formats run at least as fast as the next wider one, so that is what a silent file gets. */
const gpuDescription = closed({
  name: nonEmptyText,
  fp32: positiveQuantity(COMPUTE_RATE),
  tf32: positiveQuantity(COMPUTE_RATE).optional(),
  bf16: positiveQuantity(COMPUTE_RATE).optional(),
  fp16: positiveQuantity(COMPUTE_RATE).optional(),
  memory: positiveQuantity(SIZE),
  memoryBandwidth: positiveQuantity(TRANSFER_RATE),
  source: text.default('experiment file'),
}).transform(({ name, fp32, memory, memoryBandwidth, source, ...rates }): Gpu => {
  const tf32 = rates.tf32 ?? fp32;
  const bf16 = rates.bf16 ?? rates.fp16 ?? tf32;
  return {
    name,
    flopsPerSecond: { fp32, tf32, bf16, fp16: rates.fp16 ?? bf16 },
    memoryBytes: bytes(memory),
    memoryBytesPerSecond: memoryBandwidth,
    source,
  };
});

const gpu: z.ZodType<Gpu> = chosen((value) => (isRecord(value) ? gpuDescription : gpuPreset));

const speed = {
  bandwidth: positiveQuantity(TRANSFER_RATE),
  latency: quantityFromZero(TIME),
};

const interconnect = closed({
  type: oneOf(INTERCONNECT_TYPES),
  ...speed,
  hostMemory: positiveQuantity(TRANSFER_RATE).optional(),
}).transform(({ type, bandwidth, latency, hostMemory }) => ({
  type,
  bytesPerSecond: bandwidth,
  latencyNs: latency as Nanoseconds,
  ...(hostMemory === undefined ? {} : { hostBytesPerSecond: hostMemory }),
}));

const network = closed(speed).transform(({ bandwidth, latency }) => ({
  bytesPerSecond: bandwidth,
  latencyNs: latency as Nanoseconds,
}));

const machine = closed({
  name: nonEmptyText.optional(),
  gpu,
  count: wholeNumber(1, 1024).default(1),
  interconnect: interconnect.nullable().default(null),
  accelerators: z.array(wholeNumber(0, 1023)).exactOptional(),
});

const clusterSchema = closed({
  name: nonEmptyText.default('cluster'),
  machines: z.array(machine).min(1, { error: 'expected at least one machine' }),
  network: network.nullable().default(null),
}).transform(({ name, machines, network: between }): ClusterDescription => ({
  name,
  machines: machines.map(({ name: given, gpu: device, count, interconnect: within, accelerators }, index) => ({
    name: given ?? `machine${index}`,
    gpu: device,
    deviceCount: count,
    interconnect: within,
    ...(accelerators === undefined ? {} : { accelerators }),
  })),
  network: between,
}));

/** What a file says under `cluster`. */
export interface ClusterSection {
  readonly cluster: Cluster;
  readonly description: ClusterDescription;
}

const findPreset = (value: unknown): E.Either<Problems, ClusterDescription> => {
  const preset = typeof value === 'string' ? CLUSTER_PRESETS.get(value) : undefined;
  if (preset !== undefined) return E.right(preset);
  const names = [...CLUSTER_PRESETS.keys()];
  const found = value === undefined ? 'is missing' : `is ${show(value)}`;
  const expected = `expected machines of your own, or one of ${names.join(', ')}`;
  return E.left([problem('cluster', `${found}; ${expected}${suggest(value, names)}`)]);
};

/** The cluster of an experiment file: the name of a preset, or machines and the network between them. */
export const readCluster = (value: unknown): E.Either<Problems, ClusterSection> =>
  pipe(
    isRecord(value) ? readStructure(clusterSchema, value, inside('cluster')) : findPreset(value),
    E.chain((description) =>
      pipe(
        buildCluster(description),
        E.mapLeft(mapPaths((path) => `cluster.${path}`)),
        E.map((cluster) => ({ cluster, description })),
      ),
    ),
  );
