/** What ranks report becomes iterations, evaluations and states of jobs, which the scheduler is told of. */
import type { MeasuredMemory } from '../../core/scheduler/events.ts';
import { jobBytes, transientBytes } from '../../core/planners/round-time.ts';
import type { FromRank } from '../rank/messages.ts';
import { isFiniteState, withEvaluation, type Evaluation } from '../run/job-records.ts';
import { createLossBook } from '../run/loss-book.ts';
import { createStateCollector } from '../run/state-collector.ts';
import { heldoutParts } from '../run/train-job.ts';
import type { AdapterState } from '../stage.ts';
import { forgetStay, grow, handle, leave, sendAway } from './carry-out.ts';
import { writeState } from './end-job.ts';
import { jobSizeOf, minibatchOf } from './job-spec.ts';
import { tell, tellOf, type Live, type LiveEntry, type Stay } from './live-state.ts';

/** Iterations of a job of which the scheduler is always told what they held; later ones only when they held more. */
const MEASURED_ITERATIONS = 16;

/** An iteration of which not all stages have stepped, or whose loss is not complete. */
interface OpenIteration {
  loss: number | null;
  /** The most that was held, by stage that has stepped. */
  readonly peaks: Map<number, number>;
}

/** Takes the messages of one crew while it runs the plan. */
export const createReportTaker = (live: Live): ((message: FromRank) => void) => {
  const stageCount = live.options.stages.length;
  const open = new Map<string, OpenIteration>();
  const openIteration = (stay: number, iteration: number): OpenIteration => {
    const name = `${stay}.${iteration}`;
    const known = open.get(name) ?? { loss: null, peaks: new Map<number, number>() };
    open.set(name, known);
    return known;
  };
  const settle = (number: number, iteration: number): void => {
    const { loss, peaks } = openIteration(number, iteration);
    if (loss === null || peaks.size < stageCount) return;
    open.delete(`${number}.${iteration}`);
    completeIteration(live, live.stays.get(number)!, { iteration: iteration + 1, loss, peaks });
  };
  const losses = createLossBook({
    partsOf: (number) => live.stays.get(number)!.entry.workload.microbatches,
    onIteration: (number, iteration, loss) => {
      openIteration(number, iteration).loss = loss;
      settle(number, iteration);
    },
  });
  const evaluations = createLossBook({
    partsOf: (number) => heldoutParts(live.stays.get(number)!.entry.trainJob).length,
    onIteration: (number, iteration, loss) => takeEvaluation(live, live.stays.get(number)!, { iteration, loss }),
  });
  const checkpoints = createStateCollector(stageCount, (number, state) => takeCheckpoint(live, live.stays.get(number)!, state));
  const leaving = createStateCollector(stageCount, (number, state) => takeLeaving(live, live.stays.get(number)!, state));
  return (message) => {
    switch (message.kind) {
      case 'progress':
        live.passesBegun = message.passes;
        return grow(live);
      case 'losses':
        for (const report of message.reports) (report.evaluated ? evaluations : losses).add(report);
        return;
      case 'stepped':
        openIteration(message.adapter, message.iteration).peaks.set(message.stage, message.heldBytes);
        return settle(message.adapter, message.iteration);
      case 'checkpoint':
        return checkpoints(message.adapter, message.stage, message.state);
      case 'left':
        return leaving(message.adapter, message.stage, message.state);
      case 'recorded':
        return live.trace.record(message.spans, message.memory);
      default:
        throw new Error(`a rank says ${message.kind} while it runs a live program`);
    }
  };
};

interface CompleteIteration {
  /** Iterations made with it. */
  readonly iteration: number;
  readonly loss: number;
  readonly peaks: ReadonlyMap<number, number>;
}

/** Values that are no numbers end their own job; until it is off the ranks nothing else is told of it. */
const failStay = (live: Live, stay: Stay, reason: string): void => {
  if (stay.failure !== null) return;
  stay.failure = `${reason}; a smaller learning rate usually helps`;
  sendAway(live, stay);
  grow(live);
};

const completeIteration = (live: Live, stay: Stay, { iteration, loss, peaks }: CompleteIteration): void => {
  const { entry } = stay;
  if (stay.failure !== null) return;
  if (!Number.isFinite(loss)) return failStay(live, stay, `the loss of iteration ${iteration} is ${loss}`);
  live.iterationsMade += 1;
  stay.completed = iteration;
  entry.losses[iteration - 1] = loss;
  const job = entry.live.id;
  void tellOf(live, entry, { kind: 'iteration', job, iteration, loss });
  // Of the last one the scheduler hears when the job is off the ranks: then its state is there.
  if (iteration < (stay.leavesAt ?? entry.spec.iterations)) {
    const measured = measure(live, entry, iteration - 1, peaks);
    handle(live, { kind: 'iterationFinished', job, iteration, loss, ...(measured === null ? {} : { measured }) });
  }
  const due = stay.early.filter((evaluation) => evaluation.iteration <= iteration);
  stay.early = stay.early.filter((evaluation) => evaluation.iteration > iteration);
  for (const evaluation of due) noteEvaluation(live, stay, evaluation);
};

/** What a job held in an iteration, as far as the scheduler does not know it yet. What lives only while an op runs is predicted. */
const measure = (live: Live, entry: LiveEntry, iteration: number, peaks: ReadonlyMap<number, number>): MeasuredMemory | null => {
  const { workload, kind } = entry;
  const parts = Array.from({ length: workload.microbatches }, (_, index) => workload.part(iteration, index));
  const largest = parts.reduce((most, part) => (part.tokens > most.tokens ? part : most));
  const heldBytes = [...transientBytes({ ...live.times, cost: live.kinds.cost() }, { parts: [{ adapter: kind, ...largest }] })];
  for (const [stage, bytes] of peaks) heldBytes[live.times.deviceOfStage[stage]!]! += bytes;
  const before = entry.heldBytes;
  entry.heldBytes = heldBytes.map((bytes, device) => Math.max(bytes, before?.[device] ?? 0));
  const isMore = heldBytes.some((bytes, device) => bytes > (before?.[device] ?? 0));
  if (entry.measured++ >= MEASURED_ITERATIONS && !isMore) return null;
  const minibatch = minibatchOf(workload, iteration);
  const ledgerBytes = jobBytes({ ...live.times, cost: live.kinds.cost() }, kind, { parts: [{ adapter: kind, ...minibatch }] });
  return { heldBytes, size: jobSizeOf(minibatch), ledgerBytes };
};

/** Held-out losses come from the last stage alone: they may be here before the other stages' steps. */
const takeEvaluation = (live: Live, stay: Stay, evaluation: Evaluation): void => {
  if (evaluation.iteration > stay.completed) stay.early.push(evaluation);
  else noteEvaluation(live, stay, evaluation);
};

const noteEvaluation = (live: Live, stay: Stay, evaluation: Evaluation): void => {
  const { entry } = stay;
  const { iteration, loss } = evaluation;
  if (stay.failure !== null) return;
  if (!Number.isFinite(loss)) return failStay(live, stay, `the held-out loss after ${iteration} iterations is ${loss}`);
  entry.evaluations = withEvaluation(entry.evaluations, evaluation);
  const job = entry.live.id;
  void tellOf(live, entry, { kind: 'evaluated', job, iteration, loss });
  if (entry.stoppedAt !== null) return;
  entry.evaluatedAt = iteration;
  handle(live, { kind: 'evaluated', job, iteration, loss });
};

/** Keeps a state that the job may go back to. False: it is no numbers, which ends the job. */
const noteState = (live: Live, stay: Stay, state: AdapterState): boolean => {
  if (stay.failure === null && !isFiniteState(state)) failStay(live, stay, `the weights are no numbers after ${state.iteration} iterations`);
  if (stay.failure !== null) return false;
  stay.entry.states.set(state.iteration, state);
  return true;
};

/** Earlier states are of no use any more once the job would not be set back to them. */
const forgetStatesBefore = ({ states, evaluatedAt, stoppedAt }: LiveEntry, iteration: number): void => {
  for (const each of states.keys()) if (each < iteration && each !== (stoppedAt ?? evaluatedAt)) states.delete(each);
};

const takeCheckpoint = (live: Live, stay: Stay, state: AdapterState): void => {
  if (!noteState(live, stay, state)) return;
  writeState(live, stay.entry, state, (iteration) => noteWritten(live, stay.entry, iteration));
};

const noteWritten = (live: Live, entry: LiveEntry, iteration: number): void => {
  const job = entry.live.id;
  if (live.entries.get(job) !== entry || live.scheduler.job(job) === undefined) return;
  tell(live, { kind: 'checkpointed', job, iteration });
  handle(live, { kind: 'checkpointed', job, iteration });
  forgetStatesBefore(entry, live.scheduler.job(job)!.checkpoint);
};

const takeLeaving = (live: Live, stay: Stay, state: AdapterState): void => {
  const { entry } = stay;
  // Its last iteration may have been cut by a decision that was made after it was planned.
  stay.leavesAt ??= state.iteration;
  if (!noteState(live, stay, state) || state.iteration >= entry.spec.iterations) return leave(live, stay);
  writeState(live, entry, state, (iteration) => noteWritten(live, entry, iteration));
  forgetStatesBefore(entry, state.iteration);
  leave(live, stay);
};

/** Ranks are lost with all that runs on them: jobs go back to where their states are known. */
export const setBack = (live: Live): void => {
  for (const stay of [...live.stays.values()]) {
    const { entry, failure } = stay;
    forgetStay(live, stay);
    if (failure === null) continue;
    entry.failure = failure;
    handle(live, { kind: 'failed', job: entry.live.id });
  }
};
