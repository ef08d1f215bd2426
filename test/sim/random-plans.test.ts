import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MEMORY_CLASS, type CostModel } from '../../core/cost-model.ts';
import { KIND, STREAM } from '../../core/plan/op.ts';
import { makespanNs } from '../../core/trace/metrics.ts';
import { memoryChangeAt } from '../../core/trace/memory-builder.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { GIGA } from '../../core/units.ts';
import type { Cluster } from '../../core/cluster/cluster.ts';
import { validate } from '../../core/plan/validate.ts';
import { constantCluster, constantCost } from '../../sim/constant-cost.ts';
import { devicesOf, planOfSeed, planSeeds, stageDevicesOf } from './random-plan.ts';
import { referenceLines } from './reference-simulator.ts';
import { linesOf, spansOf, traceOf } from './small-plan.ts';

interface Speeds {
  readonly forwardNs: number;
  readonly backwardNs: number;
  readonly launchNs: number;
  readonly firstLaunchNs: number;
  readonly tokenBytes: number;
}

const speeds: fc.Arbitrary<Speeds> = fc.record({
  forwardNs: fc.integer({ min: 0, max: 9 }),
  backwardNs: fc.integer({ min: 0, max: 9 }),
  launchNs: fc.constantFrom(0, 5, 40),
  firstLaunchNs: fc.constantFrom(0, 2, 5),
  tokenBytes: fc.integer({ min: 0, max: 7 }),
});

/** Costs that differ by stage and shape. */
const costOf = (speed: Speeds): CostModel => {
  const launch = { launchNs: speed.launchNs, firstLaunchNs: Math.min(speed.launchNs, speed.firstLaunchNs) };
  const tokens = (shape: { readonly parts: readonly { readonly tokens: number }[] }): number =>
    shape.parts.reduce((sum, part) => sum + part.tokens, 0);
  return {
    ...constantCost({ forwardNs: 0, backwardNs: 0 }),
    forward: (stage, shape) => ({ deviceNs: speed.forwardNs * tokens(shape) + stage, ...launch }),
    backward: (stage, shape) => ({ deviceNs: speed.backwardNs * tokens(shape) + stage, ...launch }),
    backwardInput: (stage, shape) => ({ deviceNs: speed.forwardNs * tokens(shape) + 2 * stage, ...launch }),
    backwardWeight: (_stage, shape) => ({ deviceNs: speed.backwardNs + tokens(shape), ...launch }),
    microbatchCollective: (_kind, stage, shape) => ({ bytes: 2 * (speed.tokenBytes * tokens(shape) + stage), calls: 1 + (stage % 2), bufferBytes: 3 }),
    gradientCollective: (_kind, stage, adapter) => ({ bytes: 6 * stage + 2 * adapter, calls: 1, bufferBytes: 5 }),
    gatheredBytes: (stage) => 7 + stage,
    step: (stage) => ({ deviceNs: stage, ...launch }),
    transferBytes: (stage, shape) => speed.tokenBytes * tokens(shape) + stage,
    activationBytes: (stage, shape) => (stage + 1) * tokens(shape),
    transientBytes: (_stage, shape) => ({ forward: tokens(shape), backward: 2 * tokens(shape) }),
    residentBytes: (stage) => ({ baseWeights: 100 + stage, context: 10 }),
    adapterBytes: (stage) => ({ adapters: 1 + stage, gradients: 1 + stage, optimizer: 2 + 2 * stage }),
  };
};

const asNvlink = (cluster: Cluster): Cluster => ({ ...cluster, links: cluster.links.map((link) => ({ ...link, technology: 'nvlink' })) });

describe('random plans', () => {
  it('are valid, so that they stand for what planners make', () => {
    fc.assert(
      fc.property(planSeeds, (seed) => {
        expect(validate(planOfSeed(seed))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('run as the reference simulator says, on every stream', () => {
    fc.assert(
      fc.property(planSeeds, speeds, fc.nat({ max: 9 }), fc.constantFrom(0.5, 1, 3), (seed, speed, latencyNs, bytesPerNs) => {
        const plan = planOfSeed(seed);
        const cluster = constantCluster(devicesOf(seed), { latencyNs, bytesPerSecond: bytesPerNs * GIGA });
        const trace = traceOf(plan, costOf(speed), cluster);
        expect(linesOf(trace)).toEqual(referenceLines(plan, costOf(speed), { bytesPerNs, latencyNs }));
      }),
      { numRuns: 150 },
    );
  });

  it('give the same trace twice', () => {
    fc.assert(
      fc.property(planSeeds, speeds, (seed, speed) => {
        const run = (): Trace => traceOf(planOfSeed(seed), costOf(speed), constantCluster(devicesOf(seed)));
        expect(run()).toEqual(run());
      }),
      { numRuns: 20 },
    );
  });

  it('list spans in order of start and memory in order of time', () => {
    fc.assert(
      fc.property(planSeeds, speeds, (seed, speed) => {
        const { spans, memory } = traceOf(planOfSeed(seed), costOf(speed), constantCluster(devicesOf(seed)));
        expect([...spans.startNs]).toEqual([...spans.startNs].sort((a, b) => a - b));
        expect([...memory.timeNs]).toEqual([...memory.timeNs].sort((a, b) => a - b));
      }),
      { numRuns: 50 },
    );
  });

  // With a link for each pair of devices: where flows share links, an earlier transfer may slow down a later one.
  it('never take longer with faster devices, faster links or shorter launches', () => {
    fc.assert(
      fc.property(planSeeds, speeds, speeds, fc.constantFrom(1, 1.5, 4), (seed, one, other, ratio) => {
        const plan = planOfSeed(seed);
        const faster: Speeds = {
          forwardNs: Math.min(one.forwardNs, other.forwardNs),
          backwardNs: Math.min(one.backwardNs, other.backwardNs),
          launchNs: Math.min(one.launchNs, other.launchNs),
          firstLaunchNs: Math.min(one.firstLaunchNs, other.firstLaunchNs),
          tokenBytes: one.tokenBytes,
        };
        const slow = traceOf(plan, costOf(one), constantCluster(devicesOf(seed)));
        const fast = traceOf(plan, costOf(faster), constantCluster(devicesOf(seed), { bytesPerSecond: ratio * GIGA }));
        expect(makespanNs(fast)).toBeLessThanOrEqual(makespanNs(slow));
      }),
      { numRuns: 150 },
    );
  });

  it('never take longer where one link alone is faster', () => {
    fc.assert(
      fc.property(planSeeds, speeds, fc.nat(), fc.constantFrom(1.5, 4), (seed, speed, chosen, ratio) => {
        const plan = planOfSeed(seed);
        const even = constantCluster(devicesOf(seed), { latencyNs: 3 });
        const better = chosen % Math.max(1, even.links.length);
        const links = even.links.map((link, index) => (index === better ? { ...link, bytesPerSecond: ratio * link.bytesPerSecond } : link));
        expect(makespanNs(traceOf(plan, costOf(speed), { ...even, links }))).toBeLessThanOrEqual(makespanNs(traceOf(plan, costOf(speed), even)));
      }),
      { numRuns: 150 },
    );
  });

  it('never take longer with more memory, nor run out of it where they did not before', () => {
    fc.assert(
      fc.property(planSeeds, speeds, fc.integer({ min: 100, max: 2000 }), fc.nat(2000), (seed, speed, memoryBytes, more) => {
        const run = (capacity: number): Trace => traceOf(planOfSeed(seed), costOf(speed), constantCluster(devicesOf(seed), { memoryBytes: capacity }));
        const [less, most] = [run(memoryBytes), run(memoryBytes + more)];
        expect(makespanNs(most)).toBeLessThanOrEqual(makespanNs(less));
        if (less.outOfMemory === null) expect(most.outOfMemory).toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  it('never take longer with faster devices and links where traffic takes multiprocessors and NCCL chooses algorithms', () => {
    fc.assert(
      fc.property(planSeeds, speeds, fc.constantFrom(1, 2, 7), fc.constantFrom(1, 1.5, 4), fc.nat(20), (seed, speed, slowness, ratio, latencyNs) => {
        const plan = planOfSeed(seed);
        const slower: Speeds = { ...speed, forwardNs: slowness * speed.forwardNs, backwardNs: slowness * speed.backwardNs };
        const clusterOf = (bytesPerSecond: number, latency: number): Cluster =>
          asNvlink(constantCluster(devicesOf(seed), { bytesPerSecond, latencyNs: 1000 * latency }));
        const slow = traceOf(plan, costOf(slower), clusterOf(GIGA, 2 * latencyNs));
        const fast = traceOf(plan, costOf(speed), clusterOf(ratio * GIGA, latencyNs));
        expect(makespanNs(fast)).toBeLessThanOrEqual(makespanNs(slow));
      }),
      { numRuns: 150 },
    );
  });
});

describe('conservation', () => {
  const transfersOn = (trace: Trace, stream: number) =>
    spansOf(trace)
      .filter((span) => span.stream === stream)
      .map(({ operand, startNs, endNs }) => `${operand} ${startNs}-${endNs}`)
      .sort();

  it('holds for transfers: what is sent is received at the same time', () => {
    fc.assert(
      fc.property(planSeeds, speeds, (seed, speed) => {
        const trace = traceOf(planOfSeed(seed), costOf(speed), constantCluster(devicesOf(seed)));
        expect(transfersOn(trace, STREAM.send)).toEqual(transfersOn(trace, STREAM.receive));
      }),
      { numRuns: 50 },
    );
  });

  it('holds for bytes: what leaves a device in flight is what arrives, and none are on their way in the end', () => {
    fc.assert(
      fc.property(planSeeds, speeds, (seed, speed) => {
        const plan = planOfSeed(seed);
        const cost = costOf(speed);
        const trace = traceOf(plan, cost, constantCluster(devicesOf(seed)));
        const bytesOn = (stream: number): number[] =>
          spansOf(trace)
            .filter((span) => span.stream === stream)
            .map(({ startNs, endNs }) => endNs - startNs)
            .sort((a, b) => a - b);
        // A link of its own for each pair moves a byte a nanosecond without latency: a span is as long as its bytes are many.
        const sent = spansOf(trace).filter(({ stream }) => stream === STREAM.send);
        const expected = sent.map(({ kind, stage, operand }) => {
          const boundary = kind === KIND.sendForward ? stage : stage - 1;
          return cost.transferBytes(boundary, plan.shapes[plan.microbatches.shape[operand]!]!);
        });
        expect(bytesOn(STREAM.send)).toEqual(expected.sort((a, b) => a - b));
        expect(bytesOn(STREAM.receive)).toEqual(bytesOn(STREAM.send));
      }),
      { numRuns: 50 },
    );
  });

  it('holds for collectives: every rank takes part in each, at the same time', () => {
    fc.assert(
      fc.property(planSeeds, speeds, (seed, speed) => {
        const trace = traceOf(planOfSeed(seed), costOf(speed), constantCluster(devicesOf(seed)));
        const onRank = (rank: number): string[] =>
          spansOf(trace)
            .filter(({ stream, stage }) => stream === STREAM.collective && Math.floor(stage / seed.stageDevices.length) === rank)
            .map(({ kind, stage, startNs, endNs }) => `${kind} ${stage % seed.stageDevices.length} ${startNs}-${endNs}`)
            .sort();
        for (let rank = 1; rank < seed.ranks; rank++) expect(onRank(rank)).toEqual(onRank(0));
      }),
      { numRuns: 50 },
    );
  });

  it('holds for memory: only frozen weights and the context are left at the end, and nothing is ever negative', () => {
    fc.assert(
      fc.property(planSeeds, speeds, (seed, speed) => {
        const { memory, devices } = traceOf(planOfSeed(seed), costOf(speed), constantCluster(devicesOf(seed)));
        const left = new Map<string, number>();
        for (let row = 0; row < memory.length; row++) {
          const { device, memoryClass, bytes } = memoryChangeAt(memory, row);
          expect(bytes).toBeGreaterThanOrEqual(0);
          left.set(`${device} ${memoryClass}`, bytes);
        }
        for (const device of devices.keys()) {
          const stageDevices = stageDevicesOf(seed);
          const stages = [...stageDevices.keys()].filter((stage) => stageDevices[stage] === device);
          const held = (name: keyof typeof MEMORY_CLASS): number => left.get(`${device} ${MEMORY_CLASS[name]}`) ?? 0;
          expect(held('baseWeights')).toBe(stages.reduce((sum, stage) => sum + 100 + stage, 0));
          expect(held('context')).toBe(stages.length > 0 ? 10 : 0);
          for (const name of ['adapters', 'gradients', 'optimizer', 'activations', 'transient', 'communication'] as const) {
            expect(held(name)).toBe(0);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  it('holds for ops: every op of the plan runs once', () => {
    fc.assert(
      fc.property(planSeeds, speeds, (seed, speed) => {
        const plan = planOfSeed(seed);
        const trace = traceOf(plan, costOf(speed), constantCluster(devicesOf(seed)));
        const ran = spansOf(trace).filter(({ stream }) => stream !== STREAM.host);
        expect(ran).toHaveLength(plan.programs.reduce((sum, { length }) => sum + length, 0));
        expect(new Set(ran.map(({ kind, stage, operand, iteration }) => [kind, stage, operand, iteration].join())).size).toBe(ran.length);
        expect(ran.some(({ kind }) => kind === KIND.step)).toBe(seed.heldOut < seed.tokens.length);
      }),
      { numRuns: 30 },
    );
  });
});
