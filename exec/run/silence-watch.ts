const TICK_MS = 1000;

/** Notices ranks that have stopped answering although their processes are still there. */
export interface SilenceWatch {
  readonly heard: (rank: number) => void;
  readonly stop: () => void;
}

/**
 * Tells `onSilent` once about the first rank that is not heard of for `patienceSeconds`. Time is counted in ticks of
 * this process, so that its own pauses count as one second however long they last.
 */
export const watchSilence = (size: number, patienceSeconds: number, onSilent: (rank: number) => void): SilenceWatch => {
  const silentTicks = Array.from({ length: size }, () => 0);
  const timer = setInterval(() => {
    const silent = silentTicks.findIndex((ticks) => ticks >= patienceSeconds);
    if (silent >= 0) {
      clearInterval(timer);
      onSilent(silent);
    }
    silentTicks.forEach((ticks, rank) => (silentTicks[rank] = ticks + 1));
  }, TICK_MS);
  timer.unref();
  return {
    heard: (rank) => (silentTicks[rank] = 0),
    stop: () => clearInterval(timer),
  };
};
