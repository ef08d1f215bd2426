/** A prediction beside what was measured. */
export interface Point {
  readonly id: string;
  readonly measured: number;
  readonly predicted: number;
}

/** Errors of a set of points, as shares of what was measured. */
export interface ErrorSummary {
  readonly points: number;
  /** Mean absolute error (MAPE). */
  readonly mean: number;
  readonly median: number;
  /** Largest absolute error. */
  readonly worst: number;
  readonly worstId: string;
  /** Mean signed error: above 0 where predictions are too large. */
  readonly bias: number;
}

/** Predicted less measured, as a share of what was measured; 0 for 0 predicted as 0. */
export const relativeError = ({ measured, predicted }: Point): number =>
  predicted === measured ? 0 : (predicted - measured) / Math.abs(measured);

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const medianOf = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** null where there are no points. */
export const summarizeErrors = (points: readonly Point[]): ErrorSummary | null => {
  if (points.length === 0) return null;
  const signed = points.map(relativeError);
  const sizes = signed.map(Math.abs);
  const worst = Math.max(...sizes);
  return {
    points: points.length,
    mean: meanOf(sizes),
    median: medianOf(sizes),
    worst,
    worstId: points[sizes.indexOf(worst)]!.id,
    bias: meanOf(signed),
  };
};
