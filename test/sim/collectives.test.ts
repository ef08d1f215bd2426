import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { MEMORY_CLASS } from '../../core/cost-model.ts';
import { findDeadlock } from '../../core/plan/deadlock.ts';
import { validate } from '../../core/plan/validate.ts';
import { trainedTokens } from '../../core/trace/metrics.ts';
import { constantCluster, constantCost } from '../../sim/constant-cost.ts';
import { formatDeadlock } from '../../sim/engine/deadlock.ts';
import { simulate } from '../../sim/engine/simulate.ts';
import { linesOf, smallPlan, traceOf } from './small-plan.ts';

/** Two ranks that share the weights of two layers: stages 0, 1 are rank 0's, stages 2, 3 rank 1's. */
const SHARDED = {
  stageDevices: [0, 0, 1, 1],
  stagePipelines: [0, 0, 1, 1],
  stageLayers: [0, 1, 0, 1],
  microbatchPipelines: [0, 1],
  microbatches: 2,
};

/** The second layer is gathered while the first is computed; each is gathered again for its backward. */
const rank = (first: number, microbatch: number): string => {
  const [a, b, m] = [first, first + 1, microbatch];
  return `${a}LOAD0 ${b}LOAD0 ${a}GATHER_F${m} ${b}GATHER_F${m} ${a}F${m} ${b}F${m} ${b}GATHER_B${m} ${b}B${m} ${b}SCATTER0.0 ${a}GATHER_B${m} ${a}B${m} ${a}SCATTER0.0 ${b}STEP0.0 ${a}STEP0.0 ${b}SAVE0 ${a}SAVE0`;
};
const FSDP = smallPlan([rank(0, 0), rank(2, 1)], SHARDED);

describe('collectives', () => {
  it('gather and scatter a sharded model as computed by hand', () => {
    expect(validate(FSDP)).toEqual([]);
    // A ring of two moves half of 8 bytes over each link at one byte a nanosecond, in one step of latency 1.
    const cost = constantCost({ forwardNs: 10, backwardNs: 20, collectiveBytes: 8 });
    const lines = linesOf(traceOf(FSDP, cost, constantCluster(2, { latencyNs: 1 }))).filter((line) => line.startsWith('0 ') && !/LOAD|SAVE|STEP/.test(line));
    expect(lines).toEqual(
      [
        '0 collective 0GATHER_F0 0-5',
        '0 collective 1GATHER_F0 5-10',
        '0 compute 0F0 5-15',
        '0 compute 1F0 15-25',
        '0 collective 1GATHER_B0 25-30',
        '0 compute 1B0 30-50',
        '0 collective 1SCATTER0.0 50-55',
        '0 collective 0GATHER_B0 55-60',
        '0 compute 0B0 60-80',
        '0 collective 0SCATTER0.0 80-85',
      ].sort(),
    );
  });

  it('wait for the slowest rank', () => {
    const cost = { ...constantCost({ forwardNs: 10, backwardNs: 20, collectiveBytes: 8 }), forward: (stage: number) => ({ deviceNs: stage >= 2 ? 100 : 10, launchNs: 0 }) };
    const lines = linesOf(traceOf(FSDP, cost, constantCluster(2)));
    expect(lines).toContain('0 compute 1F0 14-24');
    expect(lines).toContain('0 collective 1GATHER_B0 204-208');
  });

  it('sum what tensor-parallel ranks computed before the next stage goes on', () => {
    const line = (first: number, m: number): string =>
      `${first}F${m} ${first}REDUCE_F${m} ${first + 1}F${m} ${first + 1}REDUCE_F${m} ${first + 1}B${m} ${first + 1}REDUCE_B${m} ${first}B${m} ${first}STEP0.0 ${first + 1}STEP0.0`;
    const plan = smallPlan([line(0, 0), line(2, 1)], SHARDED);
    const cost = constantCost({ forwardNs: 10, backwardNs: 20, collectiveBytes: 8 });
    // An all-reduce passes each link twice as often as an all-gather.
    const lines = linesOf(traceOf(plan, cost, constantCluster(2)));
    expect(lines).toEqual(expect.arrayContaining(['0 collective 0REDUCE_F0 10-18', '0 compute 1F0 18-28', '0 compute 1B0 36-56', '0 compute 0B0 64-84']));
  });

  it('count the rows of tensor-parallel ranks once', () => {
    const cost = constantCost({ forwardNs: 10, backwardNs: 20 });
    const sharded = { ...FSDP, stages: FSDP.stages.map((stage, index) => ({ ...stage, shard: index < 2 ? 0 : 1 })) };
    expect(trainedTokens(traceOf(FSDP, cost, constantCluster(2)))).toBe(200);
    expect(trainedTokens(traceOf(sharded, cost, constantCluster(2)))).toBe(100);
  });

  it('hold gathered weights from the start of the gather to the end of the pass', () => {
    const cost = constantCost({ forwardNs: 10, backwardNs: 20, collectiveBytes: 8, gatheredBytes: 7 });
    const { memory } = traceOf(FSDP, cost, constantCluster(2));
    const held = Array.from({ length: memory.length }, (_, row) => row)
      .filter((row) => memory.device[row] === 0 && memory.memoryClass[row] === MEMORY_CLASS.baseWeights)
      .map((row) => [memory.timeNs[row], memory.bytes[row]]);
    expect(held).toEqual([[0, 7], [4, 14], [14, 7], [24, 7], [48, 0], [52, 7], [76, 0]]);
  });

  it('let a step wait for the norm of all stages while other work goes on', () => {
    const plan = smallPlan([
      '0F0 0SEND_F0 0RECV_B0 0B0 0NORM0.0 0STEP0.0',
      '1RECV_F0 1F0 1B0 1SEND_B0 1NORM0.0 1STEP0.0',
    ]);
    const cost = constantCost({ forwardNs: 10, backwardNs: 20, stepNs: 1, transferNs: 5 });
    const lines = linesOf(traceOf(plan, cost, constantCluster(2, { latencyNs: 2 })));
    // The first stage is done at 10 + 7 + 30 + 7 + 20; two steps of latency round the ring follow.
    expect(lines).toEqual(expect.arrayContaining(['1 compute 1B0 27-47', '0 compute 0B0 54-74', '0 collective 0NORM0.0 74-78', '1 compute 1STEP0.0 78-79']));
  });

  it('that ranks come to in different order are reported with who is missing', () => {
    const crossed = smallPlan(['0GATHER_F0 1GATHER_F0 0F0 1F0', '3GATHER_F1 2GATHER_F1 2F1 3F1'], SHARDED);
    expect(findDeadlock(crossed).map(({ device, stream }) => `${device} ${stream}`)).toContain('0 collective');
    const result = simulate(crossed, constantCost({ forwardNs: 1, backwardNs: 1 }), constantCluster(2));
    expect(E.isLeft(result) ? formatDeadlock(result.left) : '').toMatch(/device0 compute: 0F0 .* waits for 0GATHER_F0/);
  });
});

describe('a backward in two halves', () => {
  it('hands its input gradient on before its weight gradient is computed', () => {
    const plan = smallPlan(['0F0 0SEND_F0 0RECV_B0 0I0 0W0 0STEP0.0', '1RECV_F0 1F0 1I0 1SEND_B0 1W0 1STEP0.0']);
    const cost = constantCost({ forwardNs: 10, backwardNs: 99, backwardInputNs: 12, backwardWeightNs: 8, transferNs: 1, activationBytes: 5 });
    const trace = traceOf(plan, cost, constantCluster(2));
    const lines = linesOf(trace);
    expect(lines).toEqual(expect.arrayContaining(['1 compute 1I0 21-33', '0 compute 0I0 34-46', '1 compute 1W0 33-41', '0 compute 0W0 46-54', '0 compute 0STEP0.0 54-54']));
    const { memory } = trace;
    const last = Array.from({ length: memory.length }, (_, row) => row).findLast((row) => memory.device[row] === 0 && memory.memoryClass[row] === MEMORY_CLASS.activations)!;
    expect([memory.timeNs[last], memory.bytes[last]]).toEqual([54, 0]);
  });
});

describe('held-out rows in a plan', () => {
  it('pass forward only and keep no activations', () => {
    const plan = smallPlan(['0F1 0F0 0SEND_F0 0RECV_B0 0B0 0STEP0.0', '1RECV_F0 1F0 1B0 1SEND_B0 1STEP0.0'].map((line) => line.replace('0F1 ', '0F1 0SEND_F1 ').replace('1RECV_F0', '1RECV_F1 1F1 1RECV_F0')), {
      microbatches: 2,
      forwardOnly: [1],
    });
    expect(validate(plan).map(({ rule }) => rule).filter((rule) => rule !== 'lifecycle')).toEqual([]);
    const { memory } = traceOf(plan, constantCost({ forwardNs: 10, backwardNs: 20, activationBytes: 5 }), constantCluster(2));
    const saved = Array.from({ length: memory.length }, (_, row) => row).filter((row) => memory.memoryClass[row] === MEMORY_CLASS.activations);
    expect(Math.max(...saved.map((row) => memory.bytes[row]!))).toBe(5);
  });
});
