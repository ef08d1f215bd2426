import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import type { Model } from '../../core/model/model.ts';
import { MODEL_PRESETS } from '../../core/model/presets.ts';
import { formatTable } from '../../core/text-table.ts';
import { makespanNs, tokensPerSecond } from '../../core/trace/metrics.ts';
import { NS_PER_MS } from '../../core/units.ts';
import type { Backend } from '../../exec/backend/backend.ts';
import { measureCopies, openProducts, type ProductShape } from '../../exec/backend/measure.ts';
import { openBackend } from '../../exec/backend/open-backend.ts';
import { openAttention } from '../../exec/model/measure-attention.ts';
import { calibrate } from '../../sim/calibrate.ts';
import { median } from '../../sim/measured-ops.ts';
import { costOfExperiment } from '../../sim/plan-experiment.ts';
import { openDemo, planPart, trainPart } from './demo-run.ts';
import { type SpeedCase, openCase, whole } from './executor-case.ts';
import type { BenchOptions } from './main.ts';
import { type PeftDevice, peftPassNs } from './peft-peer.ts';
import { FITTED, PREDICTED, measure, planConfiguration, replay, warmTime } from './prediction.ts';
import { REFERENCE_RUNS, compareWithReference } from './reference-run.ts';

/**
 * All that a device profile needs, in one run of a few minutes, smaller on a processor than on a GPU: whether the backend
 * computes rightly, rates of products and attention, BatchLoRA, pipelines of ranks that share the device, and the error of
 * a prediction. Writes JSON named after the device.
 */

const REFERENCE = fileURLToPath(new URL('../../../test/reference', import.meta.url));
const RESULTS = 'runs/accelerator';

interface Sizes {
  readonly model: Model;
  readonly rowTokens: number;
  readonly rounds: number;
  readonly products: readonly ProductShape[];
  readonly attentionRows: readonly number[];
  /** Steps of each reference run; a renderer in software takes a second for each. */
  readonly referenceSteps: number;
}

const square = (size: number): ProductShape => ({ rows: size, inputSize: size, outputSize: size });

const sizesOf = ({ device, name }: Backend, shipped: Model): Sizes =>
  device.kind === 'gpu'
    ? {
        model: { ...MODEL_PRESETS.get('SmolLM2-135M')!, layerCount: 8 },
        rowTokens: 512,
        rounds: 10,
        products: [512, 1024, 2048, 4096].map(square).concat({ rows: 2048, inputSize: 4096, outputSize: 11008 }),
        attentionRows: [512, 1024, 2048],
        referenceSteps: Infinity,
      }
    : {
        model: shipped,
        rowTokens: 50,
        rounds: name === 'webgpu' ? 1 : 7,
        products: [64, 256, 512].map(square),
        attentionRows: [50, 200],
        referenceSteps: name === 'webgpu' ? 2 : Infinity,
      };

/** Runs work until the device has done it; one round warms up. */
const timeNs = async ({ finish }: Backend, rounds: number, work: () => void | Promise<void>): Promise<number> => {
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now();
    await work();
    await finish?.();
    if (round > 0) times.push((performance.now() - start) * NS_PER_MS);
  }
  return median(times);
};

/** Largest relative errors of every reference run of PyTorch + PEFT. */
const checkNumbers = async (backend: Backend, { referenceSteps }: Sizes) => {
  const rows: { run: string; lossError: number; weightError: number | null }[] = [];
  for (const run of REFERENCE_RUNS) {
    const { lossErrors, weightErrors } = await compareWithReference(backend, REFERENCE, run, referenceSteps);
    const weightError = weightErrors.size === 0 ? null : Math.max(...weightErrors.values());
    rows.push({ run, lossError: Math.max(...lossErrors), weightError });
  }
  return rows;
};

const measureProducts = async (backend: Backend, { products, rounds }: Sizes) => {
  const rows: (ProductShape & { gflopsPerSecond: number })[] = [];
  for (const shape of products) {
    const product = openProducts([shape]);
    rows.push({ ...shape, gflopsPerSecond: product.flops / (await timeNs(backend, rounds, product.run)) });
    product.dispose();
  }
  return rows;
};

const measureAttention = async (backend: Backend, { model, attentionRows, rounds }: Sizes) => {
  const { headCount, keyValueHeadCount, headSize } = model;
  const rows: { rowTokens: number; gflopsPerSecond: number }[] = [];
  for (const rowTokens of attentionRows) {
    const attention = openAttention({ headCount, keyValueHeadCount, headSize, rows: 4, rowTokens });
    rows.push({ rowTokens, gflopsPerSecond: attention.flops / (await timeNs(backend, rounds, attention.run)) });
    attention.dispose();
  }
  return rows;
};

const ADAPTERS = [1, 2, 4, 8];

const caseOf = ({ model, rowTokens, rounds }: Sizes, adapters: number, rowsPerAdapter: number): SpeedCase => ({
  name: `${adapters} × ${rowsPerAdapter} rows of ${rowTokens}`,
  model,
  range: whole(model),
  adapters,
  rowsPerAdapter,
  rowTokens,
  rounds,
});

/** Tokens a second of forward and backward, each adapter with one row. */
const measureBatchLora = async (backend: Backend, sizes: Sizes) => {
  const rows: { adapters: number; tokensPerSecond: number }[] = [];
  for (const adapters of ADAPTERS) {
    const opened = await openCase(backend, caseOf(sizes, adapters, 1));
    const ns = await timeNs(backend, sizes.rounds, () => opened.pass(0));
    opened.stage.dispose();
    rows.push({ adapters, tokensPerSecond: (opened.tokens * 1e9) / ns });
  }
  return rows;
};

/** PyTorch + PEFT on the same device with as many rows of one adapter; null where it is not there. */
const comparePeft = (backend: Backend, sizes: Sizes, own: readonly { adapters: number; tokensPerSecond: number }[]) => {
  const devices: readonly PeftDevice[] = backend.device.kind === 'gpu' ? ['cuda', 'cuda-tf32'] : ['cpu'];
  const cases = ADAPTERS.map((rows) => caseOf(sizes, 1, rows));
  return devices.map((device) => {
    const peers = peftPassNs(cases, device);
    return {
      device,
      rows: peers?.map((ns, index) => {
        const theirs = (ADAPTERS[index]! * sizes.rowTokens * 1e9) / ns;
        return { rows: ADAPTERS[index]!, tokensPerSecond: theirs, ratio: own[index]!.tokensPerSecond / theirs };
      }) ?? null,
    };
  });
};

const PIPELINES = [1, 2, 4];

/** The shipped demo on ranks that share the device. */
const measurePipelines = async (backend: Backend) => {
  const demo = await openDemo();
  const names = demo.experiment.jobs.map(({ name }) => name);
  const rows: { ranks: number; tokensPerSecond: number; makespanSeconds: number }[] = [];
  for (const ranks of PIPELINES) {
    const { trace } = await trainPart(planPart(demo, names, ranks), backend.name);
    rows.push({ ranks, tokensPerSecond: tokensPerSecond(trace), makespanSeconds: makespanNs(trace) / 1e9 });
  }
  return rows;
};

/** Fits a profile on two configurations and predicts a third one. */
const measurePrediction = async (backend: Backend) => {
  const demo = await openDemo();
  const fitted = [];
  for (const configuration of FITTED) fitted.push(await measure(planConfiguration(demo, configuration), backend.name));
  const { profile, medianError } = calibrate(fitted, backend.device.name);
  const [shipped] = PREDICTED;
  const part = planConfiguration(demo, shipped!);
  const cost = costOfExperiment(part.experiment, part.plan.stages, () => profile);
  const predictedNs = warmTime(part, replay(part, cost, profile));
  const measuredNs = warmTime(part, (await measure(part, backend.name)).trace);
  return { configuration: shipped!.name, profile, medianOpError: medianError, predictedNs, measuredNs, error: predictedNs / measuredNs - 1 };
};

const rate = (value: number): string => value.toFixed(0);

const print = (title: string, heading: readonly string[], rows: readonly (readonly string[])[]): void =>
  console.log(`\n${title}\n${formatTable([heading, ...rows])}`);

export const benchAccelerator = async ({ backend: wanted }: BenchOptions): Promise<void> => {
  const start = performance.now();
  const opened = await openBackend(wanted);
  if (E.isLeft(opened)) throw new Error(opened.left.join('; '));
  const backend = opened.right;
  const { device } = backend;
  console.log(`${backend.name} on ${device.name}`);
  backend.rejected.forEach((reason) => console.log(`not taken: ${reason}`));
  const sizes = sizesOf(backend, (await openDemo()).experiment.model);

  const conformance = await checkNumbers(backend, sizes);
  print('against PyTorch + PEFT', ['run', 'loss error', 'weight error'], conformance.map(({ run, lossError, weightError }) => [run, lossError.toExponential(1), weightError?.toExponential(1) ?? '–']));
  const copies = await measureCopies(backend);
  console.log(`\ncopies of 16 MiB: ${(copies.toDevice / 1e9).toFixed(1)} GB/s to the device, ${(copies.fromDevice / 1e9).toFixed(1)} GB/s back`);
  const products = await measureProducts(backend, sizes);
  print('products', ['shape', 'GFLOP/s'], products.map(({ rows, inputSize, outputSize, gflopsPerSecond }) => [`${rows}×${inputSize}×${outputSize}`, rate(gflopsPerSecond)]));
  const attention = await measureAttention(backend, sizes);
  print('attention, four rows, forward and backward', ['row of', 'GFLOP/s'], attention.map(({ rowTokens, gflopsPerSecond }) => [`${rowTokens}`, rate(gflopsPerSecond)]));
  const batchLora = await measureBatchLora(backend, sizes);
  print(`BatchLoRA, ${sizes.model.name}, a row of ${sizes.rowTokens} each`, ['adapters', 'tokens/s'], batchLora.map(({ adapters, tokensPerSecond: own }) => [`${adapters}`, rate(own)]));
  const peft = comparePeft(backend, sizes, batchLora);
  for (const { device: name, rows } of peft) {
    if (rows === null) console.log(`\nno PyTorch + PEFT on ${name}: MLORA_PYTHON names a Python that has torch, transformers and peft`);
    else print(`PyTorch + PEFT on ${name}, one adapter`, ['rows', 'tokens/s', 'ours ÷ theirs'], rows.map((row) => [`${row.rows}`, rate(row.tokensPerSecond), row.ratio.toFixed(2)]));
  }
  backend.dispose();

  const shared = device.kind === 'gpu' || backend.name !== 'webgpu';
  const pipelines = shared ? await measurePipelines(backend) : null;
  if (pipelines !== null) print('the demo on ranks that share the device', ['ranks', 'tokens/s', 'makespan'], pipelines.map(({ ranks, tokensPerSecond: own, makespanSeconds }) => [`${ranks}`, rate(own), `${makespanSeconds.toFixed(1)} s`]));
  const prediction = shared ? await measurePrediction(backend) : null;
  if (prediction !== null) console.log(`\nprediction of "${prediction.configuration}": ${(100 * prediction.error).toFixed(1)} % off; ops of the fit, median ${(100 * prediction.medianOpError).toFixed(1)} %`);

  const seconds = (performance.now() - start) / 1000;
  const file = join(RESULTS, `${backend.name}-${device.name.replace(/[^A-Za-z0-9]+/g, '-')}.json`);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ backend: backend.name, device, seconds, conformance, copies, products, attention, batchLora, peft, pipelines, prediction }, null, 2)}\n`);
  console.log(`\n${seconds.toFixed(0)} s; results in ${file}`);
};
