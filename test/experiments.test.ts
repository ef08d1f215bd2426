import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, test } from 'vitest';
import { readExperiment } from '../core/experiment/read.ts';
import { SCHEDULE_NAMES, type ScheduleName } from '../core/experiment/schedule.ts';
import { KIND, STREAM } from '../core/plan/op.ts';
import { formatViolations } from '../core/plan/grid.ts';
import { pipelineOf } from '../core/plan/pipelines.ts';
import { partsOf, type Plan } from '../core/plan/plan.ts';
import { validate } from '../core/plan/validate.ts';
import type { Trace } from '../core/trace/trace.ts';
import { NS_PER_S } from '../core/units.ts';
import { simulate } from '../sim/engine/simulate.ts';
import { planExperiment } from '../sim/plan-experiment.ts';

/** The whole way from the text of an experiment file to a trace, for experiments drawn at random. */

const job = fc.record({
  rank: fc.integer({ min: 1, max: 32 }),
  batchSize: fc.integer({ min: 5, max: 12 }),
  iterations: fc.integer({ min: 1, max: 5 }),
  mean: fc.integer({ min: 16, max: 900 }),
  sigma: fc.constantFrom(0.1, 0.6, 1),
  arrival: fc.constantFrom(0, 0, 3),
  seed: fc.nat({ max: 1000 }),
});

const experiment = fc.record({
  model: fc.constantFrom('SmolLM2-135M', 'TinyLlama-1.1B', 'Llama-2-7B', 'Llama-2-13B'),
  cluster: fc.constantFrom('4xA6000-pcie', '8x1-3090-1gbit', '8xH100-nvlink', '1xA6000', '2xcpu'),
  microbatches: fc.integer({ min: 1, max: 5 }),
  type: fc.constantFrom('lorapp', 'lorapp', ...SCHEDULE_NAMES),
  order: fc.constantFrom('1f1b', 'gpipe'),
  release: fc.constantFrom('staggered', 'greedy'),
  groups: fc.constantFrom(1, 2, 5),
  extraInFlight: fc.constantFrom('auto', 0, 2),
  jobs: fc.array(job, { minLength: 1, maxLength: 7 }),
});

type Drawn = typeof experiment extends fc.Arbitrary<infer T> ? T : never;

const optionsOf = (type: ScheduleName, lorapp: object): object => {
  if (type === 'lorapp') return lorapp;
  return type === 'fsdp' || type === 'data-parallel' ? { batch: 'perRank' } : {};
};

const fileOf = ({ jobs, type, microbatches, model, cluster, groups, ...lorapp }: Drawn): string =>
  JSON.stringify({
    name: 'drawn',
    model,
    cluster,
    precision: 'bf16',
    schedule: { type, microbatches, ...optionsOf(type, { ...lorapp, groups: Math.min(groups, jobs.length) }) },
    jobs: jobs.map(({ rank, arrival, mean, sigma, ...rest }, index) => ({
      name: `job-${index}`,
      adapter: { rank },
      arrival: arrival === 0 ? 0 : `${arrival} s`,
      data: { lengths: { type: 'lognormal', mean, sigma, maximum: 1024 }, rows: 50 },
      ...rest,
    })),
  });

const unexpected = (): never => {
  throw new Error('no file is read here');
};

const startsOfLoads = ({ spans }: Trace, adapter: number): number[] =>
  [...spans.startNs].filter(
    (_, row) => spans.stream[row] === STREAM.compute && spans.kind[row] === KIND.load && spans.operand[row] === adapter,
  );

/** Stages that an adapter's microbatches pass: those of its instance, or all. */
const stagesOf = ({ stages, microbatches }: Plan, adapter: number): number => {
  const pipelines = new Set<number>();
  for (let microbatch = 0; microbatch < microbatches.length; microbatch++) {
    if (partsOf(microbatches, microbatch).some((part) => part.adapter === adapter)) pipelines.add(microbatches.pipeline[microbatch]!);
  }
  return stages.filter((stage) => pipelines.has(pipelineOf(stage))).length;
};

describe('any experiment', () => {
  test('is planned validly and simulated to its end, or does not fit, by a stated number of bytes', () => {
    const counts = { fits: 0, misfits: 0 };
    fc.assert(
      fc.property(experiment, (drawn) => {
        const read = readExperiment(fileOf(drawn), { readModelConfig: unexpected });
        // Not every model can be cut for every schedule.
        if (E.isLeft(read) && read.left.every(({ path }) => path === 'cluster')) return;
        if (E.isLeft(read)) throw new Error(JSON.stringify(read.left));
        const planned = planExperiment(read.right, { files: { rowCount: unexpected, part: unexpected, heldout: unexpected } });
        if (E.isLeft(planned)) {
          counts.misfits++;
          expect(planned.left.requiredBytes).toBeGreaterThan(planned.left.capacityBytes);
          return;
        }
        counts.fits++;
        const { plan, cost } = planned.right;
        const capacityBytes = read.right.cluster.devices.map(({ gpu }) => gpu.memoryBytes);
        const violations = validate(plan, { cost, capacityBytes });
        if (violations.length > 0) throw new Error(formatViolations(plan, violations));
        const trace = simulate(plan, cost, read.right.cluster);
        if (E.isLeft(trace)) throw new Error(JSON.stringify(trace.left));
        for (const [adapter, { arrival }] of drawn.jobs.entries()) {
          const starts = startsOfLoads(trace.right, adapter);
          expect(starts).toHaveLength(stagesOf(plan, adapter));
          expect(Math.min(...starts)).toBeGreaterThanOrEqual(arrival * NS_PER_S);
        }
      }),
      { numRuns: 100 },
    );
    expect(counts.fits).toBeGreaterThan(20);
    expect(counts.misfits).toBeGreaterThan(5);
  }, 120_000);
});
