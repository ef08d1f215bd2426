import { fcnnlsVector } from 'ml-fcnnls';

/** A mini-batch by its rows and their length in tokens. */
export interface JobSize {
  readonly rows: number;
  readonly length: number;
}

/** Mem = β₀ + β₁·B·L + β₂·B·L² with coefficients of at least 0 (paper section 3.4). */
export type MemoryLaw = readonly [constant: number, perToken: number, perSquaredToken: number];

export const termsOf = ({ rows, length }: JobSize): [number, number, number] => [1, rows * length, rows * length * length];

export const evaluateLaw = (law: MemoryLaw, size: JobSize): number =>
  termsOf(size).reduce((sum, term, index) => sum + term * law[index]!, 0);

/** Non-negative least squares of relative errors; columns are scaled to their largest entry. Amounts are above 0. */
export const fitLaw = (sizes: readonly JobSize[], amounts: readonly number[]): MemoryLaw => {
  const equations = sizes.map((size, index) => termsOf(size).map((term) => term / amounts[index]!));
  const scales = [0, 1, 2].map((column) => Math.max(...equations.map((row) => row[column]!)));
  const { K } = fcnnlsVector(
    equations.map((row) => row.map((term, column) => term / scales[column]!)),
    equations.map(() => 1),
  );
  const [constant, perToken, perSquaredToken] = K.to1DArray().map((value, column) => value / scales[column]!) as [number, number, number];
  return [constant, perToken, perSquaredToken];
};
