import FlatQueue from 'flatqueue';
import type { JobState } from './job.ts';
import type { Policy, Usage } from './policy.ts';

/** Waiting jobs, first one out first: a heap per lane of the policy. */
export interface WaitingJobs {
  readonly push: (job: JobState) => void;
  /** Takes the first job out; null where none waits. */
  readonly pop: () => JobState | null;
  readonly remove: (job: JobState) => void;
  readonly size: () => number;
  /** What the policy goes by has changed for the lane of this job. */
  readonly rerank: (job: JobState) => void;
  /** Whether `one` goes before `other`. */
  readonly goesBefore: (one: JobState, other: JobState) => boolean;
}

/** An entry counts while its ticket is the one its job was given last. */
interface Entry {
  readonly job: JobState;
  readonly ticket: number;
}

interface Lane {
  /** Of the lane among the others; null: to be asked for. */
  laneRank: number | null;
  readonly ranks: FlatQueue;
  /** Jobs of each rank, in order of submission. */
  readonly ofRank: Map<number, FlatQueue<Entry>>;
}

export const createWaitingJobs = (policy: Policy, usage: Usage): WaitingJobs => {
  const lanes = new Map<string, Lane>();
  /** Tickets by sequence number. */
  const waiting = new Map<number, number>();
  let tickets = 0;

  const push = (job: JobState): void => {
    const name = policy.lane(job);
    const lane = lanes.get(name) ?? { laneRank: null, ranks: new FlatQueue(), ofRank: new Map<number, FlatQueue<Entry>>() };
    lanes.set(name, lane);
    lane.laneRank = null;
    const rank = policy.rank(job);
    let equals = lane.ofRank.get(rank);
    if (equals === undefined) {
      lane.ofRank.set(rank, (equals = new FlatQueue<Entry>()));
      lane.ranks.push(rank, rank);
    }
    equals.push({ job, ticket: ++tickets }, job.sequence);
    waiting.set(job.sequence, tickets);
  };

  const firstLane = (): string | null => {
    let best: string | null = null;
    let bestRank = Infinity;
    let bestSequence = Infinity;
    for (const [name, lane] of lanes) {
      const rank = (lane.laneRank ??= policy.laneRank(name, usage));
      if (rank > bestRank) continue;
      const sequence = lane.ofRank.get(lane.ranks.peek()!)!.peekValue()!;
      if (rank === bestRank && sequence > bestSequence) continue;
      [best, bestRank, bestSequence] = [name, rank, sequence];
    }
    return best;
  };

  const popFrom = (name: string): Entry => {
    const lane = lanes.get(name)!;
    const rank = lane.ranks.peek()!;
    const equals = lane.ofRank.get(rank)!;
    const entry = equals.pop()!;
    if (equals.length === 0) {
      lane.ofRank.delete(rank);
      lane.ranks.pop();
      if (lane.ranks.length === 0) lanes.delete(name);
    }
    return entry;
  };

  return {
    push,
    pop: () => {
      for (;;) {
        const name = firstLane();
        if (name === null) return null;
        const { job, ticket } = popFrom(name);
        // Entries of jobs that were removed stay in their heap until they come up.
        if (waiting.get(job.sequence) !== ticket) continue;
        waiting.delete(job.sequence);
        return job;
      }
    },
    remove: (job) => void waiting.delete(job.sequence),
    size: () => waiting.size,
    rerank: (job) => {
      const lane = lanes.get(policy.lane(job));
      if (lane !== undefined) lane.laneRank = null;
    },
    goesBefore: (one, other) => {
      const laneGap = policy.laneRank(policy.lane(one), usage) - policy.laneRank(policy.lane(other), usage);
      if (laneGap !== 0) return laneGap < 0;
      const gap = policy.rank(one) - policy.rank(other);
      return gap === 0 ? one.sequence < other.sequence : gap < 0;
    },
  };
};
