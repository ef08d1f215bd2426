/**
 * Why a device waits. Every nanosecond of idle compute time has exactly one of these causes; how it gets it stands in
 * docs/decisions/0007-idle-time-by-cause.md and is done in `idle.ts`.
 */
export const IDLE_CAUSES = [
  'fillDrain',
  'ownStep',
  'otherStep',
  'unequalLengths',
  'unequalStages',
  'communication',
  'launches',
  'memoryCap',
  'noWork',
  'runtime',
] as const;
export type IdleCause = (typeof IDLE_CAUSES)[number];

/** What people read. */
export const CAUSE_LABELS: Readonly<Record<IdleCause, string>> = {
  fillDrain: 'fill and drain',
  ownStep: 'waiting for its own step',
  otherStep: "waiting for another adapter's step",
  unequalLengths: 'unequal lengths',
  unequalStages: 'unequal stages',
  communication: 'exposed communication',
  launches: 'host launches',
  memoryCap: 'memory cap',
  noWork: 'no work',
  runtime: 'runtime gaps and jitter',
};

/** Nanoseconds by cause. */
export type CauseTimes = Readonly<Record<IdleCause, number>>;

/** Written out: one is made for every gap of a trace. */
export const noTimes = (): Record<IdleCause, number> => ({
  fillDrain: 0,
  ownStep: 0,
  otherStep: 0,
  unequalLengths: 0,
  unequalStages: 0,
  communication: 0,
  launches: 0,
  memoryCap: 0,
  noWork: 0,
  runtime: 0,
});

/** Sum of times, cause by cause. */
export const addTimes = (times: readonly CauseTimes[]): CauseTimes => {
  const sum = noTimes();
  for (const each of times) for (const cause of IDLE_CAUSES) sum[cause] += each[cause];
  return sum;
};

export const totalOfTimes = (times: CauseTimes): number => IDLE_CAUSES.reduce((sum, cause) => sum + times[cause], 0);
