/** What the scheduler decides becomes changes of the plan, and what then has to be done is sent to the ranks. */
import type { Decision, SchedulerEvent } from '../../core/scheduler/events.ts';
import { localNs } from '../rank/clock.ts';
import { asRankAdapter } from '../run/train-job.ts';
import type { AdapterState } from '../stage.ts';
import { endJob } from './end-job.ts';
import { tellOf, type Live, type LiveEntry, type Stay } from './live-state.ts';

export const nowNs = ({ zeroNs }: Live): number => localNs() - zeroNs;

type Untimed<T> = T extends unknown ? Omit<T, 'timeNs'> : never;

/** Tells the scheduler what has happened and does what it decides. Told meanwhile, events wait for their turn. */
export const handle = (live: Live, event: Untimed<SchedulerEvent> & { readonly timeNs?: number }): void => {
  live.pending.push({ timeNs: nowNs(live), ...event });
  if (live.isHandling) return;
  live.isHandling = true;
  for (let next = live.pending.shift(); next !== undefined; next = live.pending.shift()) {
    for (const decision of live.scheduler.handle(next)) obey(live, decision);
  }
  live.isHandling = false;
  grow(live);
};

/** While the run is being closed nothing begins any more. */
const obey = (live: Live, decision: Decision): void => {
  if (decision.kind === 'group') return live.phase === 'running' ? regroup(live, decision) : undefined;
  const entry = live.entries.get(decision.job)!;
  switch (decision.kind) {
    case 'refuse':
      live.refusals.set(decision.job, decision.reason);
      return;
    case 'admit':
      return live.phase === 'running' ? admit(live, entry, 0) : undefined;
    case 'resume':
      return live.phase === 'running' ? admit(live, entry, decision.iteration) : undefined;
    case 'preempt':
      return sendAway(live, entry.stay);
    case 'stop':
      if (decision.reason !== 'cancelled') entry.stoppedAt ??= entry.evaluatedAt;
      return sendAway(live, entry.stay);
    case 'finish':
      return endJob(live, entry, decision.outcome, decision.iteration);
  }
};

const admit = (live: Live, entry: LiveEntry, first: number): void => {
  live.kindOfStay.push(entry.kind);
  const number = live.plan.join({ ...entry.workload, firstIteration: first });
  const stay: Stay = { number, entry, first, leavesAt: null, completed: first, failure: null, early: [] };
  entry.stay = stay;
  live.stays.set(number, stay);
  const { id } = entry.live;
  live.trace.noteStay(number, id);
  const adapter = { ...asRankAdapter(entry.trainJob, number, stateToStart(entry, first)), checkpointEvery: checkpointEvery(live, entry) };
  toAll(live, { kind: 'adapter', adapter });
  void tellOf(live, entry, first === 0 ? { kind: 'admitted', job: id } : { kind: 'resumed', job: id, iteration: first });
};

const stateToStart = ({ states, live: { id } }: LiveEntry, first: number): AdapterState | null => {
  const state = states.get(first);
  if (first > 0 && state === undefined) throw new Error(`the state of job ${id} after ${first} iterations is gone`);
  return state ?? null;
};

/** Early exit keeps what was evaluated, so that it has to be there. */
const checkpointEvery = ({ options }: Live, { live: { patience, sweep, job } }: LiveEntry): number =>
  (patience !== undefined || sweep !== undefined) && job.evaluate !== null ? job.evaluate.every : options.checkpoint.every;

const regroup = (live: Live, { groups }: Extract<Decision, { readonly kind: 'group' }>): void => {
  const staying = groups.map(({ jobs }) => jobs.flatMap((job) => stayingNumber(live.entries.get(job)!)));
  live.plan.regroup(staying.filter((group) => group.length > 0));
};

/** A job that leaves stays where it is until then. */
const stayingNumber = ({ stay }: LiveEntry): readonly number[] => (stay?.leavesAt === null ? [stay.number] : []);

/** Has a job leave at its next iteration end; one that has not begun is gone at once. */
export const sendAway = (live: Live, stay: Stay | null): void => {
  if (stay?.leavesAt !== null) return;
  stay.leavesAt = live.plan.leave(stay.number);
  if (stay.leavesAt <= stay.first && !live.plan.hasBegun(stay.number)) leave(live, stay);
};

/** A stay is over: its job is off the ranks, with its state in `entry.states` where it made an iteration. */
export const leave = (live: Live, stay: Stay): void => {
  const { entry, number, failure } = stay;
  const { id } = entry.live;
  forgetStay(live, stay);
  live.plan.leave(number);
  live.workloads[number] = { ...live.workloads[number]!, part: gone };
  const iteration = Math.max(stay.first, stay.leavesAt ?? entry.spec.iterations);
  if (failure !== null) {
    entry.failure = failure;
    handle(live, { kind: 'failed', job: id });
  } else if (iteration >= entry.spec.iterations) {
    handle(live, { kind: 'iterationFinished', job: id, iteration });
  } else {
    const { afterLeaving } = live.scheduler.job(id)!;
    if (afterLeaving === 'waiting' || afterLeaving === 'paused') void tellOf(live, entry, { kind: 'preempted', job: id, iteration, paused: afterLeaving === 'paused' });
    if (live.phase === 'running') handle(live, { kind: 'left', job: id, iteration });
  }
};

const gone = (): never => {
  throw new Error('a job that is off the ranks is asked for its rows');
};

export const forgetStay = (live: Live, { entry, number }: Stay): void => {
  entry.stay = null;
  live.stays.delete(number);
};

const toAll = ({ crew }: Live, message: Parameters<NonNullable<Live['crew']>['send']>[1]): void => {
  if (crew === null) return;
  for (let rank = 0; rank < crew.size; rank++) crew.send(rank, message);
};

/** Sends the ranks what is to be done next; once the run is being closed and nobody is there, that nothing is. */
export const grow = (live: Live): void => {
  if (live.crew === null || live.isHandling) return;
  const piece = live.plan.grow(live.passesBegun);
  if (piece !== null) {
    live.trace.noteMicrobatches(piece.microbatches);
    for (const [rank, program] of piece.programs.entries()) live.crew.send(rank, { kind: 'extend', piece: { program, microbatches: piece.microbatches } });
  }
  if (live.phase === 'running' || live.stays.size > 0) return;
  toAll(live, { kind: 'finish' });
  live.crew = null;
};
