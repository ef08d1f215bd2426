import { remainingNs, type JobState } from './job.ts';

/** What a policy may ask about users. */
export interface Usage {
  /** Work done for a user so far, in nanoseconds at the slowest device. */
  readonly serviceNs: (user: string) => number;
  /** Jobs of a user that run now. */
  readonly placed: (user: string) => number;
}

/**
 * In which order jobs run. Waiting jobs stand in lanes: inside a lane the order never changes while they wait, so a lane
 * is a heap; lanes are compared anew at every decision. Ties go to the job that was submitted first.
 */
export interface Policy {
  readonly name: PolicyName;
  readonly lane: (job: JobState) => string;
  /** Smaller first inside a lane. */
  readonly rank: (job: JobState) => number;
  /** Smaller first between lanes. */
  readonly laneRank: (lane: string, usage: Usage) => number;
  /** Whether a waiting job may take a running one's place. */
  readonly displaces: (waiting: JobState, running: JobState, usage: Usage) => boolean;
  /** Whether a job that fits may run before one that ranks first and does not; it gives its place back when that one fits. */
  readonly fillsGaps: boolean;
  /** Whether work done changes the order, so that every iteration end is a reason to look again. */
  readonly followsService: boolean;
}

export const POLICY_NAMES = ['fcfs', 'priority', 'shortest', 'fair', 'ageing'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/** One lane for all. */
const ONE_LANE = { lane: () => '', laneRank: () => 0 } as const;

/** First come, first served; nobody is preempted. */
export const firstComeFirstServed: Policy = {
  name: 'fcfs',
  ...ONE_LANE,
  rank: ({ sequence }) => sequence,
  displaces: () => false,
  fillsGaps: false,
  followsService: false,
};

/** Preemptive priority, first come first served inside a class (paper section 3.4). */
export const preemptivePriority: Policy = {
  name: 'priority',
  lane: ({ priority }) => `${priority}`,
  rank: ({ sequence }) => sequence,
  laneRank: (lane) => -Number(lane),
  displaces: (waiting, running) => waiting.priority > running.priority,
  fillsGaps: true,
  followsService: false,
};

/** The job with the least predicted work left, preemptive. */
export const shortestRemaining: Policy = {
  name: 'shortest',
  ...ONE_LANE,
  rank: remainingNs,
  displaces: (waiting, running) => remainingNs(waiting) < remainingNs(running),
  fillsGaps: true,
  followsService: false,
};

/**
 * Users with work get equal service. A place is charged with a quantum ahead, so that users who wait together take
 * places in turn; a job is displaced only by that of a user who is more than a quantum behind.
 */
export const fairShare = (quantumNs: number): Policy => {
  const charged = (user: string, { serviceNs, placed }: Usage): number => serviceNs(user) + quantumNs * placed(user);
  return {
    name: 'fair',
    lane: ({ spec }) => spec.user,
    rank: ({ sequence }) => sequence,
    laneRank: charged,
    displaces: (waiting, running, usage) => charged(waiting.spec.user, usage) + quantumNs < charged(running.spec.user, usage),
    fillsGaps: true,
    followsService: true,
  };
};

/**
 * Preemptive priority in which waiting for `levelNs` is worth one level. Whoever comes later than `levelNs` times the
 * difference in priority never goes first, so nobody starves. The order of two jobs never changes.
 */
export const ageingPriority = (levelNs: number): Policy => {
  const rank = ({ submittedNs, priority }: JobState): number => submittedNs - priority * levelNs;
  return { name: 'ageing', ...ONE_LANE, rank, displaces: (waiting, running) => rank(waiting) < rank(running), fillsGaps: true, followsService: false };
};

export interface PolicyOptions {
  readonly quantumNs: number;
  readonly levelNs: number;
}

export const makePolicy = (name: PolicyName, { quantumNs, levelNs }: PolicyOptions): Policy => {
  switch (name) {
    case 'fcfs':
      return firstComeFirstServed;
    case 'priority':
      return preemptivePriority;
    case 'shortest':
      return shortestRemaining;
    case 'fair':
      return fairShare(quantumNs);
    case 'ageing':
      return ageingPriority(levelNs);
  }
};
