/** A grid of experiments: a base, and values that take turns at some paths inside it. */

/** One dimension of the grid. */
export interface Axis {
  /** Path inside the experiment, e.g. `schedule.microbatches`; `jobs.count` repeats the base's jobs. */
  readonly path: string;
  readonly values: readonly unknown[];
}

export interface Sweep {
  readonly name: string;
  /** The parsed content of the base experiment's file. */
  readonly base: unknown;
  /** What paths inside the base are relative to. */
  readonly folder: string;
  readonly axes: readonly Axis[];
}

/** One experiment of the grid. */
export interface SweepPoint {
  /** Index into each axis's values. */
  readonly choice: readonly number[];
  /** The content of its experiment file. */
  readonly content: unknown;
  /** Changes with anything its result depends on. */
  readonly id: string;
}

/** What a simulation said; figures are null where it could not run. */
export interface PointResult {
  readonly outcome: 'ok' | 'doesNotFit' | 'outOfMemory' | 'deadlock';
  readonly makespanSeconds: number | null;
  readonly tokensPerSecond: number | null;
  readonly bubbleRatio: number | null;
  readonly peakMemoryBytes: number | null;
  /** In words, where the outcome is not `ok`. */
  readonly detail: string;
}

/** A point and its result; null where it has not run yet. */
export interface SweepRow {
  readonly point: SweepPoint;
  readonly result: PointResult | null;
}

/** A value as it stands in tables and charts. */
export const valueText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** The value of every axis at a point, in words. */
export const choiceText = (axes: readonly Axis[], { choice }: Pick<SweepPoint, 'choice'>): string =>
  axes.map(({ path, values }, axis) => `${path} = ${valueText(values[choice[axis]!])}`).join(', ');
