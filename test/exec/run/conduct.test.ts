import '@tensorflow/tfjs-backend-cpu';
import { memory } from '@tensorflow/tfjs-core';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { problem } from '../../../core/problem.ts';
import { ExecFailure, type ExecError } from '../../../exec/exec-error.ts';
import type { Engine } from '../../../exec/rank/engine.ts';
import type { RankHost } from '../../../exec/rank/serve-rank.ts';
import { ownStages } from '../../../exec/rank/session.ts';
import { conduct, type Outcome } from '../../../exec/run/conduct.ts';
import { createHaltSwitch } from '../../../exec/run/halt-switch.ts';
import { createRecords, NO_PROGRESS, type JobRecord } from '../../../exec/run/job-records.ts';
import { createTaskHosts } from '../../../exec/run/start-crew.ts';
import { startTaskCrew } from '../../../exec/run/task-crew.ts';
import type { ProgressEvent, TrainOptions } from '../../../exec/run/train-options.ts';
import type { DeviceInfo } from '../../../exec/backend/device.ts';
import type { Stage } from '../../../exec/stage.ts';
import { demoJob } from '../demo.ts';
import { fakeStage } from '../rank/fake-run.ts';
import { demoOptions } from './demo-run.ts';

type OpenEngine = RankHost['openEngine'];

/** Both ranks of a run share it. */
const GPU: DeviceInfo = {
  kind: 'gpu', name: 'Test GPU', id: 'GPU-1', memoryBytes: 1000, freeBytes: 900, maximumTensorBytes: null, details: {},
};

const engineOf =
  (stageOf: (stage: number) => Stage): OpenEngine =>
  ({ placements, rank }) => {
    const engine: Engine = {
      backend: 'cpu',
      device: GPU,
      rejected: [],
      stages: new Map(ownStages(placements, rank).map((stage) => [stage, stageOf(stage)])),
      baseBytes: 1000,
      parameterBytes: () => 0,
      read: async (tensor) => (await tensor.data()) as Float32Array,
      heldBytes: () => memory().numBytes,
      finish: null,
      dispose: () => undefined,
    };
    return Promise.resolve(E.right(engine));
  };

interface Performance extends Outcome {
  readonly records: readonly JobRecord[];
}

const perform = async (options: TrainOptions, openEngine: OpenEngine): Promise<Performance> => {
  const records = createRecords(options.jobs.map(() => NO_PROGRESS));
  const crew = startTaskCrew(createTaskHosts(options.plan.programs.length, openEngine));
  try {
    const outcome = await conduct(crew, {
      options,
      plan: options.plan,
      records,
      halt: createHaltSwitch(),
      onTrained: () => undefined,
      onCheckpoint: () => undefined,
      onEvaluation: () => undefined,
      onLoss: (adapter, iteration, loss) => (records[adapter]!.losses[iteration] = loss),
    });
    return { ...outcome, records };
  } finally {
    await crew.dismiss();
  }
};

const failureOf = async (options: TrainOptions, openEngine: OpenEngine): Promise<ExecError> => {
  const failure: unknown = await perform(options, openEngine).catch((error: unknown) => error);
  if (!(failure instanceof ExecFailure)) throw new Error(`expected an ExecFailure, found ${String(failure)}`);
  return failure.error;
};

const jobs = [demoJob('sums'), demoJob('dates')];

describe('a run', () => {
  it('evaluates fresh adapters, trains them, and evaluates what was saved', async () => {
    const log: string[] = [];
    const events: ProgressEvent[] = [];
    const options = await demoOptions(jobs, 2, { onProgress: (event) => events.push(event) });
    const outcome = await perform(options, engineOf((stage) => fakeStage(stage, 2, stage === 1 ? log : [])));
    const loads = log.filter((entry) => /LOAD|RELEASE|STEP/.test(entry));
    const release = ['1RELEASE0', '1RELEASE1'];
    expect(loads.slice(0, 4)).toEqual(['1LOAD0', '1LOAD1', ...release]);
    expect(loads.filter((entry) => entry.includes('STEP'))).toHaveLength(6);
    expect(loads.slice(-4)).toEqual(['1LOAD0 from saved', '1LOAD1 from saved', ...release]);
    expect(outcome.records.map(({ losses }) => losses.length)).toEqual([3, 3]);
    for (const { progress, heldoutAfter } of outcome.records) expect(progress.heldoutBefore).toBe(heldoutAfter);
    expect(events[0]).toMatchObject({ kind: 'started', backend: 'cpu', processIds: [process.pid, process.pid] });
  });

  it('names the hardware in its trace', async () => {
    const outcome = await perform(await demoOptions(jobs, 2), engineOf((stage) => fakeStage(stage, 2, [])));
    expect(outcome.trace.devices.map(({ hardware }) => hardware)).toEqual(['Test GPU', 'Test GPU']);
    expect(outcome.devices).toEqual([GPU, GPU]);
  });

  it('ends before training where the ranks of one device need more than it has free', async () => {
    const log: string[] = [];
    const options = { ...(await demoOptions(jobs, 2)), neededBytes: [500, 401] };
    const failure = await failureOf(options, engineOf((stage) => fakeStage(stage, 2, log)));
    expect(failure).toEqual({
      kind: 'deviceTooSmall',
      shortages: [{ device: 'Test GPU (GPU-1)', ranks: [0, 1], neededBytes: 901, freeBytes: 900 }],
    });
    expect(log).toEqual([]);
  });

  it('skips the evaluation of jobs without held-out rows', async () => {
    const [first, second] = jobs as [(typeof jobs)[0], (typeof jobs)[0]];
    if (second.data.kind !== 'files') throw new Error('the demo job has files');
    const withoutHeldout = { ...second, data: { ...second.data, heldout: null } };
    const outcome = await perform(await demoOptions([first, withoutHeldout], 1), engineOf((stage) => fakeStage(stage, 1, [])));
    expect(outcome.records.map(({ heldoutAfter }) => heldoutAfter === null)).toEqual([false, true]);
  });

  it('yields a trace with a span for every op and the frozen weights from the start', async () => {
    const options = await demoOptions(jobs, 2, { evaluation: null });
    const { trace } = await perform(options, engineOf((stage) => fakeStage(stage, 2, [])));
    expect(trace.spans.length).toBe(options.plan.programs.reduce((sum, { length }) => sum + length, 0));
    expect(trace.devices.map(({ name }) => name)).toEqual(options.plan.devices);
    expect([...trace.memory.timeNs].slice(0, 2)).toEqual([0, 0]);
    expect([...trace.memory.bytes].slice(0, 2)).toEqual([1000, 1000]);
  });
});

describe('a run that fails', () => {
  it('passes a rank’s own error on', async () => {
    const wrong: ExecError = { kind: 'badInput', files: [{ file: 'model', problems: [problem('x', 'is wrong')] }] };
    expect(await failureOf(await demoOptions(jobs, 2), () => Promise.resolve(E.left(wrong)))).toEqual(wrong);
  });

  it('names the rank on which something broke', async () => {
    const broken = engineOf((stage) => ({
      ...fakeStage(stage, 2, []),
      step: () => {
        if (stage === 1) throw new Error('cannot step');
      },
    }));
    const error = await failureOf(await demoOptions(jobs, 2), broken);
    expect(error).toMatchObject({ kind: 'rankFailed', rank: 1 });
    expect(error.kind === 'rankFailed' && error.reason).toContain('cannot step');
  });
});
