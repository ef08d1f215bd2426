/**
 * Which waiting jobs get a place on which pipeline. Jobs are looked at in the policy's order. One that fits is admitted;
 * one that fits once leaving jobs are gone waits for that room; one that may displace running jobs has them preempted.
 * Those behind a job that can do none of these are let past it, and give their places back when it fits.
 */
import type { JobState } from './job.ts';
import type { Policy, Usage } from './policy.ts';
import type { WaitingJobs } from './waiting-jobs.ts';

/** A pipeline and the jobs that hold memory on it. */
export interface PipelineRoom {
  budgetBytes: readonly number[];
  isUp: boolean;
  /** Running and leaving jobs. */
  readonly jobs: Set<JobState>;
}

export interface PlacementInput {
  readonly rooms: readonly PipelineRoom[];
  readonly waiting: WaitingJobs;
  readonly policy: Policy;
  readonly usage: Usage;
  /** Most jobs on one pipeline. */
  readonly slots: number;
  /** `whenEmpty`: a pipeline takes jobs only when it has none, as fixed groups do. */
  readonly refill: 'continuous' | 'whenEmpty';
  readonly needOf: (job: JobState) => readonly number[];
  readonly admit: (job: JobState, pipeline: number, passedOthers: boolean) => void;
  readonly preempt: (job: JobState) => void;
  /** The job fits no empty pipeline. */
  readonly giveUp: (job: JobState) => void;
}

/** Jobs that are set aside before placing stops: bounds the time of a decision. */
const MOST_BLOCKED = 8;

/** What a pipeline holds now, and what once leaving jobs are gone and promised places are taken. */
interface Account {
  readonly room: PipelineRoom;
  readonly now: number[];
  readonly soon: number[];
  jobsNow: number;
  jobsSoon: number;
  readonly opens: boolean;
  /** Jobs that may be told to leave, last ones of the policy's order first. */
  readonly lastFirst: JobState[];
}

export const placeJobs = (input: PlacementInput): void => {
  const { waiting, policy, needOf } = input;
  const accounts = input.rooms.map((room) => openAccount(room, input));
  for (const account of accounts) endOverrun(account, input);
  const setAside: JobState[] = [];
  let blocked = 0;
  while (blocked < MOST_BLOCKED && (blocked === 0 || policy.fillsGaps) && accounts.some(hasSlot(input))) {
    const job = waiting.pop();
    if (job === null) break;
    const need = needOf(job);
    if (!input.rooms.some(({ budgetBytes }) => need.every((bytes, device) => bytes <= budgetBytes[device]!))) {
      input.giveUp(job);
      continue;
    }
    const pipeline = findRoom(accounts, need, input.slots);
    if (pipeline >= 0) {
      take(accounts[pipeline]!, need);
      input.admit(job, pipeline, blocked > 0);
      continue;
    }
    setAside.push(job);
    if (!claim(accounts, job, need, input)) blocked += 1;
  }
  for (const job of setAside) waiting.push(job);
};

const openAccount = (room: PipelineRoom, { refill, waiting }: PlacementInput): Account => {
  const account: Account = {
    room,
    now: room.budgetBytes.map(() => 0),
    soon: room.budgetBytes.map(() => 0),
    jobsNow: 0,
    jobsSoon: 0,
    opens: room.isUp && (refill === 'continuous' || room.jobs.size === 0),
    lastFirst: [...room.jobs].filter(({ status }) => status === 'running').sort((a, b) => (waiting.goesBefore(a, b) ? 1 : -1)),
  };
  for (const { reservedBytes, status } of room.jobs) {
    if (status === 'leaving') {
      add(account.now, reservedBytes, 1);
      account.jobsNow += 1;
    } else take(account, reservedBytes);
  }
  return account;
};

/** Whether any waiting job could be looked at for this pipeline; with preemption always. */
const hasSlot =
  ({ slots, policy }: PlacementInput) =>
  ({ opens, jobsNow }: Account): boolean =>
    opens && (jobsNow < slots || policy.fillsGaps);

const add = (held: number[], bytes: readonly number[], sign: 1 | -1): void => {
  for (let device = 0; device < held.length; device++) held[device]! += sign * bytes[device]!;
};

/** Gives a job room that is free now. */
const take = (account: Account, bytes: readonly number[]): void => {
  add(account.now, bytes, 1);
  account.jobsNow += 1;
  promise(account, bytes);
};

/** Gives a job room that will be free once leaving jobs are gone. */
const promise = (account: Account, bytes: readonly number[]): void => {
  add(account.soon, bytes, 1);
  account.jobsSoon += 1;
};

const fits = (need: readonly number[], held: readonly number[], budget: readonly number[]): boolean =>
  need.every((bytes, device) => held[device]! + bytes <= budget[device]!);

/** The pipeline with the fewest jobs that has room now, beside what is promised; -1 where none has. */
const findRoom = (accounts: readonly Account[], need: readonly number[], slots: number): number => {
  let best = -1;
  for (const [pipeline, { opens, jobsNow, jobsSoon, now, soon, room }] of accounts.entries()) {
    if (!opens || Math.max(jobsNow, jobsSoon) >= slots) continue;
    if (!fits(need, now, room.budgetBytes) || !fits(need, soon, room.budgetBytes)) continue;
    if (best < 0 || jobsNow < accounts[best]!.jobsNow) best = pipeline;
  }
  return best;
};

/** Promises room that is being left, or has jobs preempted for it; false where neither is possible. */
const claim = (accounts: readonly Account[], job: JobState, need: readonly number[], input: PlacementInput): boolean => {
  const leaving = accounts.find(({ opens, jobsSoon, soon, room }) => opens && jobsSoon < input.slots && fits(need, soon, room.budgetBytes));
  if (leaving !== undefined) {
    promise(leaving, need);
    return true;
  }
  let best: { readonly account: Account; readonly victims: readonly JobState[] } | null = null;
  for (const account of accounts) {
    const victims = account.opens ? findVictims(account, job, need, input) : null;
    if (victims !== null && (best === null || victims.length < best.victims.length)) best = { account, victims };
  }
  if (best === null) return false;
  for (const victim of best.victims) {
    add(best.account.soon, victim.reservedBytes, -1);
    best.account.jobsSoon -= 1;
    input.preempt(victim);
  }
  promise(best.account, need);
  return true;
};

/** Running jobs that would have to leave, last ones of the policy's order first; null where that is not allowed or not enough. */
const findVictims = (account: Account, job: JobState, need: readonly number[], { policy, usage, waiting, slots }: PlacementInput): JobState[] | null => {
  const mayLeave = (other: JobState): boolean =>
    other.status === 'running' && (policy.displaces(job, other, usage) || (other.passedOthers && waiting.goesBefore(job, other)));
  const candidates = account.lastFirst.filter(mayLeave);
  if (candidates.length === 0) return null;
  const soon = [...account.soon];
  let jobs = account.jobsSoon;
  const chosen: JobState[] = [];
  const isEnough = (): boolean => jobs < slots && fits(need, soon, account.room.budgetBytes);
  for (const candidate of candidates) {
    if (isEnough()) break;
    add(soon, candidate.reservedBytes, -1);
    jobs -= 1;
    chosen.push(candidate);
  }
  if (!isEnough()) return null;
  return chosen.filter((candidate) => {
    // Whoever is not needed stays: the first choices may be small jobs that the last one makes unnecessary.
    add(soon, candidate.reservedBytes, 1);
    jobs += 1;
    if (isEnough()) return false;
    add(soon, candidate.reservedBytes, -1);
    jobs -= 1;
    return true;
  });
};

/** Measured bytes, or a smaller pipeline, may be beyond what there is: the last jobs of the order leave until the rest fits. */
const endOverrun = (account: Account, { preempt }: PlacementInput): void => {
  for (const job of account.lastFirst.slice(0, -1)) {
    if (account.soon.every((bytes, device) => bytes <= account.room.budgetBytes[device]!)) return;
    add(account.soon, job.reservedBytes, -1);
    account.jobsSoon -= 1;
    preempt(job);
  }
};
