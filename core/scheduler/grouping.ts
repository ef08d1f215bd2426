/**
 * How the jobs of a pipeline run together: which share microbatches (BatchLoRA) and into how many pieces mini-batches are
 * cut. What predicts the most tokens a second wins; nothing is assumed about how many groups or pieces are good.
 */
import { periodNs, type RoundTime } from '../planners/round-time.ts';
import type { Grouping } from './events.ts';
import type { JobSpec } from './job.ts';

/** Predicted time of one round of jobs that share microbatches, their mini-batches cut into so many pieces. */
export type PredictRound = (jobs: readonly JobSpec[], microbatches: number) => RoundTime;

export interface GroupingOptions {
  readonly predict: PredictRound;
  /** Most groups that are tried: more than devices rarely gain. */
  readonly mostGroups: number;
  /** Pieces of a mini-batch that are tried; `jobs` say which are possible. */
  readonly microbatches: readonly number[];
  /** No job's iterations may take longer than this many times what they take alone; absent: they may. */
  readonly maximumSlowdown?: number;
  /** A job joins where throughput rises by at least this share. */
  readonly leastGain: number;
}

export interface Grouper {
  readonly group: (jobs: readonly JobSpec[]) => Grouping;
  readonly mayJoin: (running: readonly JobSpec[], job: JobSpec) => boolean;
  /** Predicted time between two iterations of each job, and tokens of all jobs in it. */
  readonly rate: (grouping: Grouping, jobs: readonly JobSpec[]) => Rate;
}

export interface Rate {
  readonly periodNs: number;
  readonly tokens: number;
  readonly busyNs: number;
}

/** Groups of positions in a list of jobs in order of kind. */
interface Choice extends Rate {
  readonly groups: readonly (readonly number[])[];
  readonly microbatches: number;
}

/** Throughputs closer than this are equal; then fewer pieces and more groups are simpler. */
const EQUAL = 1e-3;

export const createGrouper = (options: GroupingOptions): Grouper => {
  const known = new Map<string, RoundTime>();
  /** Jobs of one kind and size take the same time. */
  const predict: PredictRound = (jobs, microbatches) => {
    const key = `${microbatches}|${jobs.map(kindOf).sort().join('|')}`;
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = options.predict(jobs, microbatches)));
    return found;
  };
  const best = new Map<string, Choice>();
  /** Positions are those in order of kind. */
  const choose = (jobs: readonly JobSpec[]): Choice => {
    const key = jobs.map(kindOf).sort().join('|');
    let found = best.get(key);
    if (found === undefined) best.set(key, (found = search(inOrder(jobs), predict, options)));
    return found;
  };
  const inOrder = (jobs: readonly JobSpec[]): JobSpec[] => [...jobs].sort((a, b) => (kindOf(a) < kindOf(b) ? -1 : kindOf(a) > kindOf(b) ? 1 : 0));
  const rate = ({ groups }: Grouping, jobs: readonly JobSpec[]): Rate => {
    const byId = new Map(jobs.map((job) => [job.id, job]));
    return rateOf(groups.map(({ jobs: ids, microbatches }) => predict(ids.map((id) => byId.get(id)!), microbatches)));
  };
  const alone = (job: JobSpec): number => choose([job]).periodNs;
  return {
    group: (jobs) => named(choose(jobs), inOrder(jobs)),
    rate,
    mayJoin: (running, job) => {
      if (running.length === 0) return true;
      const before = choose(running);
      const after = choose([...running, job]);
      if (throughput(after) < throughput(before) * (1 + options.leastGain)) return false;
      const { maximumSlowdown } = options;
      return maximumSlowdown === undefined || [...running, job].every((each) => after.periodNs <= maximumSlowdown * alone(each));
    },
  };
};

const kinds = new WeakMap<JobSpec, string>();

/** Jobs of a kind and size are alike; asked often. */
const kindOf = (job: JobSpec): string => {
  let kind = kinds.get(job);
  if (kind === undefined) kinds.set(job, (kind = `${job.memoryKind} ${job.size.rows}x${job.size.length}`));
  return kind;
};

const throughput = ({ tokens, periodNs: ns }: Rate): number => tokens / ns;

const rateOf = (rounds: readonly RoundTime[]): Rate => ({
  periodNs: periodNs(rounds),
  tokens: rounds.reduce((sum, { tokens }) => sum + tokens, 0),
  busyNs: rounds.reduce((sum, { busyNs }) => sum + busyNs, 0),
});

const named = ({ groups, microbatches }: Choice, jobs: readonly JobSpec[]): Grouping => ({
  groups: groups.map((group) => ({ jobs: group.map((position) => jobs[position]!.id), microbatches })),
});

const search = (jobs: readonly JobSpec[], predict: PredictRound, { mostGroups, microbatches }: GroupingOptions): Choice => {
  const possible = microbatches.filter((pieces) => jobs.every(({ size }) => pieces <= size.rows));
  let best: Choice | null = null;
  for (let count = Math.min(mostGroups, jobs.length); count >= 1; count--) {
    for (const pieces of possible.length > 0 ? possible : [1]) {
      const groups = spread(jobs.map((job) => predict([job], pieces).workNs), count);
      const rate = rateOf(groups.map((group) => predict(group.map((position) => jobs[position]!), pieces)));
      if (best === null || throughput(rate) > throughput(best) * (1 + EQUAL)) best = { ...rate, groups, microbatches: pieces };
    }
  }
  return best!;
};

/** Heaviest job first, each to the lightest group so far. */
const spread = (works: readonly number[], count: number): number[][] => {
  const groups = Array.from({ length: count }, () => ({ workNs: 0, jobs: [] as number[] }));
  for (const job of [...works.keys()].sort((a, b) => works[b]! - works[a]! || a - b)) {
    const lightest = groups.reduce((least, group) => (group.workNs < least.workNs ? group : least));
    lightest.jobs.push(job);
    lightest.workNs += works[job]!;
  }
  return groups.map(({ jobs }) => jobs);
};
