/**
 * Clocks of a run. Every process counts nanoseconds from a moment of its own; a rank learns by how much the
 * coordinator's count differs, and both count from the moment the coordinator declares zero.
 */
const BASE = process.hrtime.bigint();

/** Nanoseconds on this process's monotonic clock; small enough to be exact as a number. */
export const localNs = (): number => Number(process.hrtime.bigint() - BASE);

/** One question to the coordinator's clock: asked and answered on the rank's clock, `theirs` on the coordinator's. */
export interface ClockSample {
  readonly askedNs: number;
  readonly theirsNs: number;
  readonly answeredNs: number;
}

/**
 * What to add to the rank's clock to get the coordinator's: the sample with the shortest round trip counts, its answer
 * taken to be made halfway (Cristian 1989), so the error is at most half of that round trip.
 */
export const estimateOffset = (samples: readonly ClockSample[]): number => {
  const roundTrip = ({ askedNs, answeredNs }: ClockSample): number => answeredNs - askedNs;
  const best = samples.reduce((a, b) => (roundTrip(b) < roundTrip(a) ? b : a));
  return Math.round(best.theirsNs - (best.askedNs + best.answeredNs) / 2);
};
