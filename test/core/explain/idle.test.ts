import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { totalOfTimes, type CauseTimes } from '../../../core/explain/cause.ts';
import { splitIdle } from '../../../core/explain/idle.ts';
import { bubbleRatio, busyNs } from '../../../core/trace/metrics.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { devicesOf, planOfSeed, planSeeds } from '../../sim/random-plan.ts';
import { smallPlan, traceOf } from '../../sim/small-plan.ts';
import { spansArbitrary, traceOfLines, traceOfParts } from '../trace/traces.ts';
import { only, runSetting } from './planned-run.ts';

const byDevice = (trace: Trace): CauseTimes[] => splitIdle(trace).devices.map(({ byCause }) => byCause);

const totalOf = (trace: Trace): CauseTimes => splitIdle(trace).total.byCause;

const shareOf = (trace: Trace, ns: number): number => {
  const { windowNs, devices } = splitIdle(trace);
  return ns / (windowNs * devices.length);
};

describe('fill and drain', () => {
  it.each([
    [2, 4],
    [4, 4],
    [4, 8],
    [3, 1],
  ])('are all the idle time of one 1F1B iteration: (D − 1)/(N + D − 1) for D = %i, N = %i', (devices, microbatches) => {
    const trace = runSetting({ devices, microbatches });
    const { fillDrain } = totalOf(trace);
    expect(totalOf(trace)).toEqual(only({ fillDrain }));
    expect(shareOf(trace, fillDrain)).toBeCloseTo((devices - 1) / (microbatches + devices - 1), 12);
  });

  it('are all that LoRAPP leaves when adapters fill each other’s bubbles', () => {
    const trace = runSetting({ devices: 4, microbatches: 4, adapters: 4, iterations: 10, type: 'lorapp' });
    expect(totalOf(trace)).toEqual(only({ fillDrain: 4 * 900 }));
  });
});

describe('waiting for a step', () => {
  it('empties the pipeline between iterations of one adapter; the ends of the run stay fill and drain', () => {
    const trace = runSetting({ devices: 2, microbatches: 2, iterations: 3, costs: { stepNs: 7 } });
    // Per iteration: device 0 waits 300 for its first backward, device 1 200 for the step, the step itself and 100 for a forward.
    expect(byDevice(trace)).toEqual([
      only({ fillDrain: 300 + 300, ownStep: 300 }),
      only({ fillDrain: 100 + 200, ownStep: 2 * 300 }),
    ]);
  });

  it('is another adapter’s where adapters take turns', () => {
    const trace = runSetting({ devices: 2, microbatches: 1, adapters: 2 });
    expect(byDevice(trace)[1]).toEqual(only({ fillDrain: 100 + 200, otherStep: 200 + 100 }));
  });
});

describe('unequal stages', () => {
  it('take what a stage is slower than the one that waits for it', () => {
    const trace = runSetting({ devices: 4, microbatches: 4, adapters: 4, iterations: 20, type: 'lorapp', slowness: [1, 2, 1, 1] });
    const { unequalStages } = totalOf(trace);
    expect(byDevice(trace)[1]!.unequalStages).toBe(0);
    expect(unequalStages / splitIdle(trace).total.idleNs).toBeGreaterThan(0.97);
  });

  it('lengthen the fill, which stays fill by as much as equal stages would need', () => {
    const lines = ['0F0 0-100', '0SEND_F0 100-100', '1RECV_F0 100-100', '1F0 100-400', '1B0 400-600', '1SEND_B0 600-600', '0RECV_B0 600-600', '0B0 600-800'];
    expect(byDevice(traceOfLines(lines))).toEqual([only({ unequalStages: 200, fillDrain: 300 }), only({ fillDrain: 100 + 200 })]);
  });
});

describe('unequal lengths', () => {
  it('take what one long row is longer than the mean, whose time stays fill', () => {
    const forwards = ['0F0 0-100', '0F1 100-200', '0F2 200-300', '0F3 300-800', '1F0 100-200', '1F1 200-300', '1F2 300-400', '1F3 800-1300'];
    const transfers = [100, 200, 300, 800].flatMap((at, m) => [`0SEND_F${m} ${at}-${at}`, `1RECV_F${m} ${at}-${at}`]);
    // The mean is 200. Of equal rows each would have filled, and left to drain, as much.
    const expected = only({ unequalLengths: 300, fillDrain: 200 });
    expect(byDevice(traceOfLines([...forwards, ...transfers]))).toEqual([expected, expected]);
  });

  it('are nearly all of the idle time of LoRAPP with random lengths', () => {
    const tokens = (adapter: number, iteration: number, index: number): number => 1 + ((7 * adapter + 5 * iteration + 3 * index) % 6);
    const trace = runSetting({ devices: 4, microbatches: 4, adapters: 4, iterations: 20, type: 'lorapp', tokens });
    const { unequalLengths, fillDrain } = totalOf(trace);
    expect((unequalLengths + fillDrain) / splitIdle(trace).total.idleNs).toBeGreaterThan(0.9);
    expect(unequalLengths).toBeGreaterThan(fillDrain);
  });
});

describe('exposed communication', () => {
  it('is the time of the transfers that a device waits for', () => {
    const trace = runSetting({ devices: 2, microbatches: 1, costs: { transferNs: 40 } });
    expect(byDevice(trace)).toEqual([
      only({ communication: 2 * 40, fillDrain: 300 }),
      only({ communication: 2 * 40, fillDrain: 100 + 200 }),
    ]);
  });

  it('is all of the idle time where a slow link sets the pace', () => {
    const trace = runSetting({ devices: 4, microbatches: 4, adapters: 4, iterations: 20, type: 'lorapp', costs: { transferNs: 400 } });
    expect(totalOf(trace).communication / splitIdle(trace).total.idleNs).toBeGreaterThan(0.99);
  });

  it('holds for collectives: a rank waits for weights to be gathered and gradients to be scattered', () => {
    const rank = (stage: number, m: number): string => `${stage}LOAD0 ${stage}GATHER_F${m} ${stage}F${m} ${stage}B${m} ${stage}SCATTER0.0 ${stage}STEP0.0`;
    const plan = smallPlan([rank(0, 0), rank(1, 1)], {
      stageDevices: [0, 1],
      stagePipelines: [0, 1],
      stageLayers: [0, 0],
      microbatchPipelines: [0, 1],
      microbatches: 2,
    });
    const slower = { ...constantCost({ forwardNs: 10, backwardNs: 20, collectiveBytes: 8 }), backward: (stage: number) => ({ deviceNs: stage === 0 ? 20 : 50, launchNs: 0 }) };
    const [first, second] = byDevice(traceOf(plan, slower, constantCluster(2)));
    expect(first).toEqual(only({ communication: 4 + 4, unequalStages: 30 }));
    expect(second).toEqual(only({ communication: 4 + 4 }));
  });
});

describe('memory', () => {
  it('is the cause where microbatches were ready and did not fit', () => {
    const setting = { devices: 4, microbatches: 4, adapters: 4, iterations: 10, type: 'lorapp', costs: { activationBytes: 10 } } as const;
    const capped = splitIdle(runSetting({ ...setting, memoryBytes: 20 })).total;
    expect(capped.byCause.memoryCap / capped.idleNs).toBeGreaterThan(0.95);
    expect(totalOf(runSetting(setting)).memoryCap).toBe(0);
  });

  it('is not the cause in a schedule that would not use more', () => {
    expect(totalOf(runSetting({ devices: 4, microbatches: 4, costs: { activationBytes: 10 }, memoryBytes: 40 })).memoryCap).toBe(0);
  });
});

describe('no work', () => {
  it('is the time before a job arrives when nothing else is there', () => {
    const trace = runSetting({ devices: 2, microbatches: 1, adapters: 2, arrivalsNs: [0, 5000] });
    // The first job is through after 600.
    expect(totalOf(trace).noWork).toBe(2 * (5000 - 600) + 200);
  });

  it('is all of the time of a device without stages', () => {
    const trace = traceOf(smallPlan(['0F0 0B0', ''], { stageDevices: [0], microbatches: 1 }), constantCost({ forwardNs: 10, backwardNs: 20 }), constantCluster(2));
    expect(byDevice(trace)[1]).toEqual(only({ noWork: 30 }));
  });
});

describe('launches and disturbances', () => {
  it('the host holds up an op whose inputs are there', () => {
    const trace = traceOf(smallPlan(['0F0 0B0'], { microbatches: 1 }), constantCost({ forwardNs: 10, backwardNs: 20, launchNs: 50, firstLaunchNs: 5 }), constantCluster(1));
    const { launches } = totalOf(trace);
    expect(launches).toBeGreaterThan(0);
    expect(totalOf(trace)).toEqual(only({ launches }));
  });

  it('a measured run loses time between ops to the runtime', () => {
    const lines = ['0F0 0-100', '0F1 130-230', '1RECV_F0 110-120', '1F0 125-225'];
    const [first, second] = byDevice({ ...traceOfLines(lines), source: 'measured' });
    expect(first).toEqual(only({ runtime: 30 }));
    // 10 before and 5 after the transfer, and 5 of the other device's 30 at the end.
    expect(second).toEqual(only({ runtime: 10 + 5 + 5, communication: 10, fillDrain: 100 }));
  });

  it('and to ops that take longer than others of their size', () => {
    const lines = Array.from({ length: 4 }, (_, m) => [`0F${m} ${100 * m}-${100 * m + 100}`, `1F${m} ${100 * m + 100}-${100 * m + 200}`]).flat();
    const late = [...lines.filter((line) => !line.includes('F3')), '0F3 300-650', '1F3 650-750'];
    const trace: Trace = { ...traceOfLines(late), source: 'measured' };
    expect(byDevice(trace)[1]!.runtime).toBe(250);
  });
});

describe('any trace', () => {
  const expectWhole = (trace: Trace): void => {
    const { devices, total, windowNs, gaps } = splitIdle(trace);
    for (const { idleNs, byCause } of [...devices, total]) expect(totalOfTimes(byCause)).toBe(idleNs);
    for (const gap of gaps) expect(totalOfTimes(gap.byCause)).toBe(gap.endNs - gap.startNs);
    for (const ns of gaps.flatMap(({ byCause }) => Object.values(byCause))) expect(Number.isInteger(ns) && ns >= 0).toBe(true);
    expect(total.idleNs).toBe(devices.reduce((sum, { idleNs }) => sum + idleNs, 0));
    expect(gaps.reduce((sum, { startNs, endNs }) => sum + endNs - startNs, 0)).toBe(total.idleNs);
    expect(total.idleNs).toBeLessThanOrEqual(windowNs * devices.length);
  };

  it('of a random plan has causes for exactly its idle time', () => {
    fc.assert(
      fc.property(planSeeds, fc.nat({ max: 9 }), fc.nat({ max: 9 }), fc.constantFrom(0, 7, 40), fc.constantFrom('simulated', 'measured'), (seed, transferNs, latencyNs, launchNs, source) => {
        const cost = constantCost({ forwardNs: 5, backwardNs: 9, stepNs: 2, transferNs, launchNs, activationBytes: 3 });
        const varied = { ...cost, forward: (stage: number, shape: { parts: readonly { tokens: number }[] }) => ({ deviceNs: stage + shape.parts[0]!.tokens, launchNs }) };
        const trace = { ...traceOf(planOfSeed(seed), varied, constantCluster(devicesOf(seed), { latencyNs })), source } as Trace;
        expectWhole(trace);
        const { windowNs, devices, total } = splitIdle(trace);
        const busy = busyNs(trace).reduce((sum, ns) => sum + ns, 0);
        expect(total.idleNs).toBe(windowNs * devices.length - busy);
        expect(total.idleNs / (windowNs * devices.length || 1)).toBeCloseTo(bubbleRatio(trace), 9);
      }),
      { numRuns: 200 },
    );
  });

  it('of a planned run has causes for exactly its idle time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom('lorapp', '1f1b', 'gpipe'),
        fc.constantFrom(0, 30, 300),
        fc.nat({ max: 5 }),
        (devices, microbatches, adapters, type, transferNs, spread) => {
          expectWhole(runSetting({ devices, microbatches, adapters, iterations: 3, type, costs: { transferNs, stepNs: 3, activationBytes: 1 }, memoryBytes: 4 * adapters, tokens: (adapter, iteration, index) => 1 + ((adapter + iteration * 3 + index * 5) % (spread + 1)), slowness: [1, 1.5] }));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('holds even where spans contradict each other', () => {
    fc.assert(fc.property(spansArbitrary, (spans) => expectWhole({ ...traceOfParts(spans, []), source: 'measured' })), { numRuns: 300 });
  });
});
