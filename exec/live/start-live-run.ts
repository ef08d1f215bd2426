import * as E from 'fp-ts/lib/Either.js';
import { residentBytesOf } from '../../core/cost-model.ts';
import { meanRoundTime, type PipelineTimes } from '../../core/planners/round-time.ts';
import { createGrouper, type Grouper } from '../../core/scheduler/grouping.ts';
import { createScheduler, type Scheduler } from '../../core/scheduler/scheduler.ts';
import { ExecFailure, type ExecError } from '../exec-error.ts';
import { localNs } from '../rank/clock.ts';
import { checkModel } from '../run/check-model.ts';
import { grow, handle, sendAway } from './carry-out.ts';
import { conductLive, planFor } from './conduct-live.ts';
import { createJobKinds } from './job-kinds.ts';
import { prepareLiveFolder } from './job-folder.ts';
import { createLiveTrace } from './live-trace.ts';
import type { LiveJobState, LiveRun, LiveRunOptions, StartLiveRun } from './live-run.ts';
import { tell, type Live, type LiveEntry } from './live-state.ts';
import { readLearnt, writeLearnt, type LearntState } from './scheduler-file.ts';
import { submitJob } from './submit-job.ts';

const TRACE_OPS = 100_000;
const LEAST_GAIN = 0.01;

const orThrow = <A>(result: E.Either<ExecError, A>): A => {
  if (E.isLeft(result)) throw new ExecFailure(result.left);
  return result.right;
};

const createLive = (options: LiveRunOptions, learnt: LearntState): Live => {
  const { stages, devices, capacityBytes, costs, traceOps = TRACE_OPS } = options;
  const kinds = createJobKinds(costs);
  const times: PipelineTimes = { deviceOfStage: stages.map(({ device }) => device), deviceCount: devices.length, cost: kinds.cost(), transferNs: costs.transferNs };
  const budgetBytes = devices.map((_, device) => {
    const { baseWeights, context, quantization } = residentBytesOf(kinds.cost(), stages, device);
    return capacityBytes[device]! - baseWeights - context - quantization;
  });
  const entries = new Map<string, LiveEntry>();
  const parts = { options, kinds, budgetBytes, workloads: [], kindOfStay: [] };
  return {
    ...parts,
    times,
    entries,
    scheduler: schedulerFor(options, { budgetBytes, learnt, grouper: grouperFor(options, times, kinds, entries) }),
    trace: createLiveTrace({ devices, capacityBytes, stages, mostOps: traceOps }),
    stays: new Map(),
    refusals: new Map(),
    zeroNs: localNs(),
    plan: planFor(parts, 0),
    crew: null,
    started: null,
    passesBegun: 0,
    wasReady: false,
    iterationsMade: 0,
    pending: [],
    isHandling: false,
    phase: 'running',
    failure: null,
    writing: Promise.resolve(),
    telling: Promise.resolve(),
  };
};

/** Pieces of mini-batches are fixed for each job, so that only groups are chosen. */
const grouperFor = ({ scheduler, devices }: LiveRunOptions, times: PipelineTimes, kinds: Live['kinds'], entries: ReadonlyMap<string, LiveEntry>): Grouper =>
  createGrouper({
    predict: (jobs) => {
      const running = jobs.map(({ id }) => entries.get(id)!);
      return meanRoundTime({ ...times, cost: kinds.cost() }, running.map(({ workload }) => workload), running.map(({ kind }) => kind));
    },
    mostGroups: scheduler.mostGroups ?? 2 * devices.length,
    microbatches: [1],
    leastGain: scheduler.leastGain ?? LEAST_GAIN,
    ...(scheduler.maximumSlowdown === undefined ? {} : { maximumSlowdown: scheduler.maximumSlowdown }),
  });

interface SchedulerParts {
  readonly budgetBytes: readonly number[];
  readonly learnt: LearntState;
  readonly grouper: Grouper;
}

/** Its pipeline is down until ranks are up. */
const schedulerFor = ({ scheduler: { policy, slots } }: LiveRunOptions, { budgetBytes, learnt, grouper }: SchedulerParts): Scheduler =>
  createScheduler(
    { policy, slots, budgetBytes: [budgetBytes], group: grouper.group, mayJoin: grouper.mayJoin },
    { submissions: 0, jobs: [], pipelines: [{ budgetBytes, isUp: false }], ...learnt },
  );

const jobsOf = (live: Live): readonly LiveJobState[] =>
  [...live.entries.values()].map(({ live: { id }, spec, heldBytes }): LiveJobState => {
    const job = live.scheduler.job(id);
    const { iterations } = spec;
    // One that the scheduler is through with is being written.
    if (job === undefined) return { id, status: 'leaving', priority: spec.priority, iteration: iterations, iterations, checkpoint: 0, heldBytes };
    const { status, priority, iteration, checkpoint } = job;
    return { id, status, priority, iteration, iterations, checkpoint, heldBytes };
  });

/** Whether an event of a job can still mean anything. */
const has = (live: Live, id: string): boolean => live.phase === 'running' && live.scheduler.job(id) !== undefined;

const close = async (live: Live, conducted: Promise<void>): Promise<void> => {
  if (live.phase === 'running') {
    live.phase = 'closing';
    for (const stay of [...live.stays.values()]) sendAway(live, stay);
    grow(live);
  }
  await conducted;
};

/** What happens once no crew follows, however that came. */
const conclude = async (live: Live, conducting: Promise<void>): Promise<void> => {
  try {
    await conducting;
    await live.writing;
    await writeLearnt(live.options.folder, live.scheduler.state());
  } catch (error) {
    if (!(error instanceof ExecFailure)) throw error;
    tell(live, { kind: 'ended', error: error.error });
  } finally {
    live.phase = 'ended';
    await Promise.allSettled([live.writing, ...[...live.entries.values()].map(({ telling }) => telling)]);
    await live.telling;
  }
};

const runOf = (live: Live, concluded: Promise<void>): LiveRun => {
  let submitting: Promise<unknown> = Promise.resolve();
  return {
    submit: (job) => () => {
      const submitted = submitting.then(() => submitJob(live, job));
      submitting = submitted.catch(() => undefined);
      return submitted;
    },
    cancel: (id) => {
      if (!has(live, id)) return false;
      handle(live, { kind: 'cancelled', job: id });
      return true;
    },
    changePriority: (id, priority) => {
      if (!has(live, id)) return false;
      handle(live, { kind: 'priorityChanged', job: id, priority });
      return true;
    },
    jobs: () => jobsOf(live),
    trace: live.trace.trace,
    close: () => close(live, concluded),
  };
};

const start = async (options: LiveRunOptions): Promise<LiveRun> => {
  orThrow(await checkModel(options.model, options.modelFolder)());
  orThrow(await prepareLiveFolder(options.folder));
  const live = createLive(options, orThrow(await readLearnt(options.folder)));
  let conducting: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    conducting = conductLive(live, resolve);
    conducting.catch(reject);
  });
  return runOf(live, conclude(live, conducting));
};

/** Brings the ranks up with the base model; see live-run.ts. */
export const startLiveRun: StartLiveRun = (options) => async () => {
  try {
    return E.right(await start(options));
  } catch (error) {
    if (error instanceof ExecFailure) return E.left(error.error);
    throw error;
  }
};
