import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, test } from 'vitest';
import { readConstants } from '../../../experiments/reproduction/constants.ts';
import { taskOf, type PaperRun } from '../../../experiments/reproduction/paper-run.ts';
import { peakMemory } from '../../../core/trace/peak-memory.ts';
import { runExperiment } from '../../../experiments/reproduction/tasks/run-experiment.ts';
import { simulateTask, type Steady } from '../../../experiments/reproduction/tasks/simulate.ts';

const RUN: PaperRun = { model: '1.1B', system: 'lorapp', gpu: 'A6000', gpus: 4, adapters: 2 };

const steady = (run: PaperRun, iterations?: number): Steady => {
  const task = taskOf(run, readConstants());
  const { experiment } = task;
  const result = simulateTask(
    iterations === undefined ? task : { ...task, experiment: { ...experiment, defaults: { ...experiment.defaults, iterations } } },
  );
  if (result.kind !== 'ran') throw new Error(result.where);
  return result;
};

describe('a simulated run of the paper', () => {
  test('is a steady state: longer runs give the same throughput', () => {
    const sequential: PaperRun = { ...RUN, system: '1f1b' };
    expect(steady(sequential, 6).tokensPerSecond).toBeCloseTo(steady(sequential).tokensPerSecond, 6);
    expect(steady(RUN, 24).tokensPerSecond / steady(RUN).tokensPerSecond).toBeCloseTo(1, 2);
  });

  test('is slower and spends part of its time waiting when transfers block compute', () => {
    const [overlapped, blocking] = [steady(RUN), steady({ ...RUN, transfers: 'blocking' })];
    expect(blocking.tokensPerSecond).toBeLessThan(overlapped.tokensPerSecond);
    expect(overlapped.blockedSeconds).toBe(0);
    expect(blocking.blockedSeconds).toBeGreaterThan(0);
    expect(blocking.blockedSeconds).toBeLessThan(blocking.computeSeconds);
    expect((blocking.computeSeconds - blocking.blockedSeconds) / overlapped.computeSeconds).toBeCloseTo(1, 2);
  });

  test('that does not fit names the device, the bytes and what they are for', () => {
    const wholeModel = simulateTask(taskOf({ model: '13B', system: 'fsdp', gpu: 'A6000', gpus: 4, adapters: 1 }, readConstants()));
    expect(wholeModel).toEqual({ kind: 'outOfMemory', where: expect.stringMatching(/^device0 lacks \d+\.\d GB for baseWeights while loading$/) as string });
    const single = simulateTask(taskOf({ model: '70B', system: 'peft', gpu: 'A6000', gpus: 1, adapters: 1 }, readConstants()));
    expect(single).toEqual({ kind: 'outOfMemory', where: expect.stringMatching(/ GB for baseWeights$/) as string });
  });

  test('keeps the order of the paper at 7B: one adapter, two, four; 1F1B slowest', () => {
    const lorapp = (adapters: number): number => steady({ ...RUN, model: '7B', adapters }).tokensPerSecond;
    const oneAtATime = steady({ ...RUN, model: '7B', system: '1f1b' }).tokensPerSecond;
    expect(oneAtATime).toBeLessThan(lorapp(2));
    expect(lorapp(2)).toBeLessThan(lorapp(4));
  });

  test('holds at 7B in 1F1B order what the paper reports: about 30 % of four A6000, most on the first', () => {
    const run = runExperiment(taskOf({ ...RUN, model: '7B', system: '1f1b' }, readConstants()), 2);
    if (E.isLeft(run)) throw new Error(run.left);
    const { trace } = run.right;
    const shares = peakMemory(trace).map(({ bytes }, device) => bytes / trace.devices[device]!.capacityBytes);
    expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeCloseTo(0.3, 1);
    expect([...shares].sort((a, b) => b - a)).toEqual(shares);
  });
});
