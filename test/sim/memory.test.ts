import { describe, expect, it } from 'vitest';
import { MEMORY_CLASSES } from '../../core/cost-model.ts';
import { memoryChangeAt } from '../../core/trace/memory-builder.ts';
import { peakMemory } from '../../core/trace/peak-memory.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { constantCluster, constantCost } from '../../sim/constant-cost.ts';
import { smallPlan, traceOf } from './small-plan.ts';

const COST = constantCost({
  forwardNs: 10,
  backwardNs: 20,
  transferNs: 4,
  activationBytes: 1000,
  transientBytes: 100,
  baseWeightBytes: 50_000,
  contextBytes: 7000,
  adapterBytes: 10,
});

const historyOf = ({ memory }: Trace, device: number, name: (typeof MEMORY_CLASSES)[number]): string[] =>
  Array.from({ length: memory.length }, (_, row) => memoryChangeAt(memory, row))
    .filter((change) => change.device === device && MEMORY_CLASSES[change.memoryClass] === name)
    .map(({ timeNs, bytes }) => `${timeNs}:${bytes}`);

describe('the ledger', () => {
  const local = smallPlan(['0LOAD0 0F0 0F1 0B0 0B1 0STEP0.0 0RELEASE0']);

  it('holds activations from forward start to backward end', () => {
    const trace = traceOf(local, COST, constantCluster(1));
    expect(historyOf(trace, 0, 'activations')).toEqual(['0:1000', '10:2000', '40:1000', '60:0']);
  });

  it('holds temporaries while an op runs', () => {
    const trace = traceOf(smallPlan(['0F0 0STEP0.0']), { ...COST, step: () => ({ deviceNs: 5, launchNs: 0 }) }, constantCluster(1));
    expect(historyOf(trace, 0, 'transient')).toEqual(['0:100', '10:0']);
  });

  it('holds an adapter, its gradients and its optimizer from load to release', () => {
    const trace = traceOf(local, COST, constantCluster(1));
    expect(historyOf(trace, 0, 'adapters')).toEqual(['0:10', '60:0']);
    expect(historyOf(trace, 0, 'gradients')).toEqual(['0:10', '60:0']);
    expect(historyOf(trace, 0, 'optimizer')).toEqual(['0:20', '60:0']);
  });

  it('holds an adapter that is trained but never loaded from start to end', () => {
    const trace = traceOf(smallPlan(['0F0 0B0 0STEP0.0']), COST, constantCluster(1));
    expect(historyOf(trace, 0, 'adapters')).toEqual(['0:10']);
  });

  it('holds frozen weights of every stage and one context on a device', () => {
    const trace = traceOf(smallPlan(['0F0 1F0'], { stageDevices: [0, 0] }), COST, constantCluster(1));
    expect(historyOf(trace, 0, 'baseWeights')).toEqual(['0:100000']);
    expect(historyOf(trace, 0, 'context')).toEqual(['0:7000']);
  });

  it('holds a message at the sender from its computation to its arrival, at the receiver until it is used', () => {
    const plan = smallPlan(['0F0 0SEND_F0', '1RECV_F0 1F0']);
    const trace = traceOf(plan, COST, constantCluster(2, { latencyNs: 1 }));
    expect(historyOf(trace, 0, 'communication')).toEqual(['10:4', '15:0']);
    expect(historyOf(trace, 1, 'communication')).toEqual(['10:4', '15:0']);
  });
});

describe('running out of memory', () => {
  const plan = smallPlan(['0LOAD0 0F0 0F1 0B0 0B1 0STEP0.0 0RELEASE0']);

  it('is reported once, with the class, the op and the bytes missing, and does not stop the run', () => {
    const trace = traceOf(plan, COST, constantCluster(1, { memoryBytes: 59_000 }));
    expect(trace.outOfMemory).toEqual({ device: 0, memoryClass: 'activations', missingBytes: 40, timeNs: 10, op: '0F1' });
    expect(trace.spans.length).toBe(7);
  });

  it('does not happen at the last byte', () => {
    const enough = 57_000 + 40 + 2 * 1000 + 100;
    expect(peakMemory(traceOf(plan, COST, constantCluster(1)))[0]!.bytes).toBe(enough);
    expect(traceOf(plan, COST, constantCluster(1, { memoryBytes: enough })).outOfMemory).toBeNull();
    expect(traceOf(plan, COST, constantCluster(1, { memoryBytes: enough - 1 })).outOfMemory).toMatchObject({
      memoryClass: 'transient',
      missingBytes: 1,
    });
  });

  it('is found before the first op where the frozen weights do not fit', () => {
    const trace = traceOf(plan, COST, constantCluster(1, { memoryBytes: 50_000 }));
    expect(trace.outOfMemory).toEqual({ device: 0, memoryClass: 'baseWeights', missingBytes: 7000, timeNs: 0, op: 'start' });
  });
});
