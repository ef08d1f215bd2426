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
  /** Whether a job may run beside others, memory aside. */
  readonly mayJoin: (running: readonly JobState[], job: JobState) => boolean;
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
  /** Jobs that stay, and those that places are promised to. */
  readonly staying: Set<JobState>;
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
    const pipeline = findRoom(accounts, job, need, input);
    if (pipeline >= 0) {
      take(accounts[pipeline]!, job, need);
      input.admit(job, pipeline, blocked > 0);
      continue;
    }
    setAside.push(job);
    if (claim(accounts, job, need, input)) continue;
    // Nobody passes a job that has room and may not join: it is no gap that others would fill.
    if (accounts.some((account) => hasRoomSoon(account, need, input))) break;
    blocked += 1;
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
    staying: new Set(),
    lastFirst: [...room.jobs].filter(({ status }) => status === 'running').sort((a, b) => (waiting.goesBefore(a, b) ? 1 : -1)),
  };
  for (const job of room.jobs) {
    if (job.status === 'leaving') {
      add(account.now, job.reservedBytes, 1);
      account.jobsNow += 1;
    } else take(account, job, job.reservedBytes);
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
const take = (account: Account, job: JobState, bytes: readonly number[]): void => {
  add(account.now, bytes, 1);
  account.jobsNow += 1;
  promise(account, job, bytes);
};

/** Gives a job room that will be free once leaving jobs are gone. */
const promise = (account: Account, job: JobState, bytes: readonly number[]): void => {
  add(account.soon, bytes, 1);
  account.jobsSoon += 1;
  account.staying.add(job);
};

/** Counts a job's room as free soon. */
const release = (account: Account, job: JobState): void => {
  add(account.soon, job.reservedBytes, -1);
  account.jobsSoon -= 1;
  account.staying.delete(job);
};

const fits = (need: readonly number[], held: readonly number[], budget: readonly number[]): boolean =>
  need.every((bytes, device) => held[device]! + bytes <= budget[device]!);

const hasRoomSoon = ({ opens, jobsSoon, soon, room }: Account, need: readonly number[], { slots }: PlacementInput): boolean =>
  opens && jobsSoon < slots && fits(need, soon, room.budgetBytes);

/** Whether a job fits once leaving jobs are gone, and may run beside those that stay. */
const fitsSoon = (account: Account, job: JobState, need: readonly number[], input: PlacementInput): boolean =>
  hasRoomSoon(account, need, input) && input.mayJoin([...account.staying], job);

/** The pipeline with the fewest jobs that has room now, beside what is promised; -1 where none has. */
const findRoom = (accounts: readonly Account[], job: JobState, need: readonly number[], input: PlacementInput): number => {
  let best = -1;
  for (const [pipeline, account] of accounts.entries()) {
    const { jobsNow, now, room } = account;
    if (best >= 0 && jobsNow >= accounts[best]!.jobsNow) continue;
    if (jobsNow < input.slots && fits(need, now, room.budgetBytes) && fitsSoon(account, job, need, input)) best = pipeline;
  }
  return best;
};

/** Promises room that is being left, or has jobs preempted for it; false where neither is possible. */
const claim = (accounts: readonly Account[], job: JobState, need: readonly number[], input: PlacementInput): boolean => {
  const leaving = accounts.find((account) => fitsSoon(account, job, need, input));
  if (leaving !== undefined) {
    promise(leaving, job, need);
    return true;
  }
  let best: { readonly account: Account; readonly victims: readonly JobState[] } | null = null;
  for (const account of accounts) {
    const victims = account.opens ? findVictims(account, job, need, input) : null;
    if (victims !== null && (best === null || isMilder(victims, best.victims, input))) best = { account, victims };
  }
  if (best === null) return false;
  for (const victim of best.victims) {
    release(best.account, victim);
    input.preempt(victim);
  }
  promise(best.account, job, need);
  return true;
};

/** Fewer victims, or such as come later in the order: those displace nobody in turn. */
const isMilder = (victims: readonly JobState[], others: readonly JobState[], { waiting }: PlacementInput): boolean =>
  victims.length < others.length || (victims.length === others.length && waiting.goesBefore(others.at(-1)!, victims.at(-1)!));

/** Running jobs that would have to leave, last ones of the policy's order first; null where that is not allowed or not enough. */
const findVictims = (account: Account, job: JobState, need: readonly number[], input: PlacementInput): JobState[] | null => {
  const { policy, usage, waiting } = input;
  const mayLeave = (other: JobState): boolean =>
    other.status === 'running' && (policy.displaces(job, other, usage) || (other.passedOthers && waiting.goesBefore(job, other)));
  const candidates = account.lastFirst.filter(mayLeave);
  if (candidates.length === 0) return null;
  const after: Account = { ...account, soon: [...account.soon], staying: new Set(account.staying) };
  const isEnough = (): boolean => fitsSoon(after, job, need, input);
  const chosen: JobState[] = [];
  for (const candidate of candidates) {
    if (isEnough()) break;
    release(after, candidate);
    chosen.push(candidate);
  }
  if (!isEnough()) return null;
  return chosen.filter((candidate) => {
    // Whoever is not needed stays: the first choices may be small jobs that the last one makes unnecessary.
    promise(after, candidate, candidate.reservedBytes);
    if (isEnough()) return false;
    release(after, candidate);
    return true;
  });
};

/** Measured bytes, or a smaller pipeline, may be beyond what there is: the last jobs of the order leave until the rest fits. */
const endOverrun = (account: Account, { preempt }: PlacementInput): void => {
  for (const job of account.lastFirst.slice(0, -1)) {
    if (account.soon.every((bytes, device) => bytes <= account.room.budgetBytes[device]!)) return;
    release(account, job);
    preempt(job);
  }
};
