/**
 * Asynchronous successive halving (ASHA, Li et al. 2020): trials are judged at rungs, and of those that have reached a
 * rung so far the best in `reduction` go on to the next one. A trial that does not is paused; better than average luck of
 * the others may let it go on later. Nobody waits for a rung to be full. A sweep trains one trial at least to its end.
 */

/** The sweep a job is a trial of. */
export interface Halving {
  readonly name: string;
  /** Trials of the whole sweep: it is over when none of them can go on. */
  readonly trials: number;
  readonly reduction: number;
  /** Iterations at which trials are judged, ascending; the last rung lies before a trial's end. */
  readonly rungs: readonly number[];
}

/** Rungs for trials that are evaluated every so many iterations: the first evaluation, and each `reduction` times as far as the one before. */
export const defaultRungs = (every: number, reduction: number, iterations: number): readonly number[] => {
  const rungs: number[] = [];
  for (let rung = every; rung < iterations; rung *= reduction) rungs.push(rung);
  return rungs;
};

/** Rungs at which trials would never be judged, or too late; `iterations`: of a trial, null where they are not known yet. */
export const findWrongRungs = (rungs: readonly number[], every: number, iterations: number | null): { readonly index: number; readonly message: string }[] =>
  rungs.flatMap((rung, index) => {
    if (rung % every === 0 && rung < (iterations ?? Infinity) && rung > (rungs[index - 1] ?? 0)) return [];
    const end = iterations === null ? '' : ` below the job's ${iterations} iterations`;
    return [{ index, message: `is ${rung}; expected ascending multiples of evaluate.every (${every})${end}` }];
  });

/** What a sweep remembers; plain data. */
export interface SweepState {
  submitted: number;
  /** Trials that were not taken, and will not come. */
  refused: number;
  /** Trials that went on to their own end, by which the sweep has its result. */
  ended: number;
  /** Trials that may still reach another rung by themselves. */
  active: number;
  /** By rung, best first. */
  readonly results: { readonly job: string; readonly loss: number }[][];
  /** By rung: trials that were let past it. */
  readonly promoted: string[][];
}

export const startSweep = ({ rungs }: Halving): SweepState => ({
  submitted: 0,
  refused: 0,
  ended: 0,
  active: 0,
  results: rungs.map(() => []),
  promoted: rungs.map(() => []),
});

/** Notes a held-out loss; true when the trial has reached a rung with it that it had not been judged at. */
export const reachRung = (sweep: SweepState, { rungs }: Halving, job: string, { iteration, loss }: { readonly iteration: number; readonly loss: number }): boolean => {
  const rung = rungs.findIndex((at, index) => at <= iteration && !sweep.results[index]!.some((result) => result.job === job));
  if (rung < 0) return false;
  const results = sweep.results[rung]!;
  const place = results.findIndex((result) => loss < result.loss);
  results.splice(place < 0 ? results.length : place, 0, { job, loss });
  return true;
};

/** Trials that may pass the rung they wait at, highest rung first; noted as promoted. */
export const promote = (sweep: SweepState, { reduction }: Halving): string[] => {
  const found: string[] = [];
  for (let rung = sweep.results.length - 1; rung >= 0; rung--) {
    const results = sweep.results[rung]!;
    const promoted = sweep.promoted[rung]!;
    for (const { job } of results.slice(0, Math.floor(results.length / reduction))) {
      if (promoted.includes(job)) continue;
      promoted.push(job);
      found.push(job);
    }
  }
  return found;
};

/** Whether a trial waits at the last rung that it was judged at. */
export const isHeldAtRung = ({ results, promoted }: SweepState, job: string): boolean => {
  const rung = results.findLastIndex((each) => each.some((result) => result.job === job));
  return rung >= 0 && !promoted[rung]!.includes(job);
};

/** True when no trial is left that could reach another rung. */
export const isSweepOver = (sweep: SweepState, { trials }: Halving): boolean => sweep.active === 0 && sweep.submitted + sweep.refused >= trials;

/** Whether a trial was let past the last rung, so that nothing but itself ends it. */
export const isFinalist = ({ promoted }: SweepState, job: string): boolean => promoted.at(-1)?.includes(job) === true;

/**
 * The best trial at the highest rung that any of those that wait has reached, noted as promoted: it goes on where a sweep would
 * end without a result, because fewer trials than `reduction` are left.
 */
export const promoteBest = ({ results, promoted }: SweepState, waits: (job: string) => boolean): string | null => {
  for (let rung = results.length - 1; rung >= 0; rung--) {
    const best = results[rung]!.find(({ job }) => waits(job));
    if (best === undefined) continue;
    promoted[rung]!.push(best.job);
    return best.job;
  }
  return null;
};
