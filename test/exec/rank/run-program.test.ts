import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as E from 'fp-ts/lib/Either.js';
import { makeSchedule } from '../../../core/experiment/schedule-section.ts';
import { streamOf, STREAMS, type Stream } from '../../../core/plan/op.ts';
import { opsOf, type Plan, type Program } from '../../../core/plan/plan.ts';
import { planSchedule } from '../../../core/planners/plan-schedule.ts';
import { formatOp } from '../../../core/plan/text.ts';
import type { Stage } from '../../../exec/stage.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { fakeStage, program, runFake, straight, type RecordedSpan } from './fake-run.ts';

const randomPlan = fc
  .record({
    type: fc.constantFrom('gpipe', '1f1b', 'lorapp'),
    stageCount: fc.integer({ min: 1, max: 4 }),
    adapterCount: fc.integer({ min: 1, max: 5 }),
    microbatches: fc.integer({ min: 1, max: 3 }),
    iterations: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ type, stageCount, adapterCount, microbatches, iterations }): Plan => {
    const adapters = Array.from({ length: adapterCount }, (_, index) => ({
      name: `adapter${index}`,
      iterations,
      microbatches,
      arrivalNs: 0,
      priority: 0,
      part: () => ({ rows: 1, tokens: 1, squaredTokens: 1 }),
    }));
    const plan = planSchedule({
      workload: { adapters },
      schedule: makeSchedule({ type, microbatches }),
      cluster: constantCluster(stageCount),
      stages: straight(stageCount),
      cost: constantCost({ forwardNs: 100, backwardNs: 130, stepNs: 10, transferNs: 7 }),
    });
    if (E.isLeft(plan)) throw new Error('a plan without memory limits fits');
    return plan.right;
  });

const inStream = (each: Program, stream: Stream): string[] =>
  [...opsOf(each)].filter((op) => streamOf(op.kind) === stream).map(formatOp);
const ran = (spans: readonly RecordedSpan[], stream: Stream): string[] =>
  spans.filter(({ op }) => streamOf(op.kind) === stream).map(({ op }) => formatOp(op));

describe('the interpreter', () => {
  it('runs every stream of every device in program order and hands every op what belongs to it', async () => {
    await fc.assert(
      fc.asyncProperty(randomPlan, async ({ programs, stages, microbatches }) => {
        const { spans, losses, leaked } = await runFake({ programs, placements: stages });
        for (const [device, each] of programs.entries()) {
          for (const stream of STREAMS) expect(ran(spans[device]!, stream)).toEqual(inStream(each, stream));
        }
        expect([...losses].sort((a, b) => a - b)).toEqual(Array.from({ length: microbatches.length }, (_, m) => m));
        expect(leaked).toBe(0);
      }),
      { numRuns: 40 },
    );
  });

  it('calls the stage in the order of the compute ops', async () => {
    const log: string[] = [];
    const text = '0LOAD0 0F0 0F1 0B0 0B1 0STEP0.0 0SAVE0 0RELEASE0';
    const { saved } = await runFake({ programs: [program(text)], placements: straight(1), stageOf: () => fakeStage(0, 1, log) });
    expect(log).toEqual(['0LOAD0', '0F0', '0F1', '0B0', '0B1', '0STEP0', '0RELEASE0']);
    expect(saved).toEqual(['0/0']);
  });

  it('passes results on directly between stages of one device', async () => {
    const placements = [0, 1, 0].map((device, stage) => ({ device, firstLayer: stage, endLayer: stage + 1 }));
    const together = [
      { device: 0, firstLayer: 0, endLayer: 1 },
      { device: 0, firstLayer: 1, endLayer: 2 },
    ];
    const folded = await runFake({
      placements,
      programs: [
        program('0F0 0SEND_F0 2RECV_F0 2F0 2B0 2SEND_B0 0RECV_B0 0B0'),
        program('1RECV_F0 1F0 1SEND_F0 1RECV_B0 1B0 1SEND_B0'),
      ],
    });
    const local = await runFake({ placements: together, programs: [program('0F0 1F0 1B0 0B0')] });
    expect([folded.losses, local.losses, folded.leaked, local.leaked]).toEqual([[0], [0], 0, 0]);
  });

  it('lets a compute op run while an unrelated receive waits', async () => {
    const { spans } = await runFake({
      placements: straight(2),
      programs: [program('0F0 0F1 0SEND_F1 0SEND_F0 0RECV_B0 0STEP0.0'), program('1RECV_F1 1RECV_F0 1STEP0.0 1F0 1B0 1SEND_B0 1F1')],
    });
    expect(ran(spans[1]!, 'compute')[0]).toBe('1STEP0.0');
    expect(ran(spans[0]!, 'compute')).toEqual(['0F0', '0F1', '0STEP0.0']);
  });

  it('counts waiting for a frame neither as compute nor as transfer', async () => {
    const slow: Stage = {
      ...fakeStage(0, 2, []),
      forward: (batch, input, options) => {
        for (const end = performance.now() + 30; performance.now() < end; );
        return fakeStage(0, 2, []).forward(batch, input, options);
      },
    };
    const { spans } = await runFake({
      placements: straight(2),
      programs: [program('0F0 0SEND_F0'), program('1RECV_F0 1F0')],
      stageOf: (stage) => (stage === 0 ? slow : fakeStage(1, 2, [])),
    });
    const made = spans[0]!.find(({ op }) => op.kind === 'forward')!;
    const taken = spans[1]!.find(({ op }) => op.kind === 'receiveForward')!;
    const used = spans[1]!.find(({ op }) => op.kind === 'forward')!;
    expect(taken.startNs).toBeGreaterThanOrEqual(made.endNs);
    expect(used.startNs).toBeGreaterThanOrEqual(taken.endNs);
  });

  it('gives each stream spans that follow one another', async () => {
    const { spans } = await runFake({
      placements: straight(2),
      programs: [program('0F0 0SEND_F0 0F1 0SEND_F1 0RECV_B0 0B0 0RECV_B1 0B1'), program('1RECV_F0 1F0 1B0 1SEND_B0 1RECV_F1 1F1 1B1 1SEND_B1')],
    });
    for (const device of spans) {
      for (const stream of STREAMS) {
        const own = device.filter(({ op }) => streamOf(op.kind) === stream);
        for (const [i, span] of own.entries()) {
          expect(span.endNs).toBeGreaterThanOrEqual(span.startNs);
          expect(span.startNs).toBeGreaterThanOrEqual(own[i - 1]?.endNs ?? 0);
        }
      }
    }
  });

  it('does not load an adapter before its job arrives', async () => {
    const arrival = 20e6;
    const { spans } = await runFake({ placements: straight(1), programs: [program('0LOAD0')], changes: { arrivalsNs: [arrival] } });
    expect(spans[0]![0]!.startNs).toBeGreaterThanOrEqual(arrival);
  });
});

describe('a stage that fails', () => {
  const broken: Stage = {
    ...fakeStage(1, 2, []),
    forward: () => {
      throw new Error('out of order');
    },
  };

  it('ends the run with its error', async () => {
    const run = runFake({
      placements: straight(2),
      programs: [program('0F0 0SEND_F0 0RECV_B0 0B0'), program('1RECV_F0 1F0 1B0 1SEND_B0')],
      stageOf: (stage) => (stage === 1 ? broken : fakeStage(0, 2, [])),
    });
    await expect(run).rejects.toThrow('out of order');
  });

  it('ends the run when only its losses fail', async () => {
    const late: Stage = {
      ...fakeStage(0, 1, []),
      forward: () => ({ kind: 'loss', losses: Promise.reject(new Error('cannot be read')) }),
    };
    const run = runFake({ placements: straight(1), programs: [program('0F0 0STEP0.0')], stageOf: () => late });
    await expect(run).rejects.toThrow('cannot be read');
  });
});
