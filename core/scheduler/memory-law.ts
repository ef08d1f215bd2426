import { fcnnlsVector } from 'ml-fcnnls';

/**
 * A mini-batch by its rows and their length in tokens. Where rows are unequal or share attention blocks: as many rows of
 * such a length that rows·length are its tokens and rows·length² the squares of what attends in one block.
 */
export interface JobSize {
  readonly rows: number;
  readonly length: number;
  /** Positions that carry a loss, which alone reach the LM head; absent: not known, or all alike. */
  readonly targets?: number;
}

/** Mem = β₀ + β₁·B·L + β₂·B·L² with coefficients of at least 0 (paper section 3.4), and β₃ for each target. */
export type MemoryLaw = readonly [constant: number, perToken: number, perSquaredToken: number, perTarget: number];

const termsOf = ({ rows, length, targets = 0 }: JobSize): readonly number[] => [1, rows * length, rows * length * length, targets];

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, each, index) => sum + each * b[index]!, 0);

export const evaluateLaw = (law: MemoryLaw, size: JobSize): number => dot(termsOf(size), law);

/** Terms as shares of the amount, and the largest of each column, by which columns are scaled; 1 where all are 0. */
const equationsOf = (sizes: readonly JobSize[], amounts: readonly number[]): { readonly rows: readonly (readonly number[])[]; readonly scales: readonly number[] } => {
  const relative = sizes.map((size, index) => termsOf(size).map((term) => term / amounts[index]!));
  const scales = relative[0]!.map((_, column) => Math.max(...relative.map((row) => row[column]!)) || 1);
  return { rows: relative.map((row) => row.map((share, column) => share / scales[column]!)), scales };
};

/** Weight of coefficients being 0 beside measurements being met. */
const SMALLNESS = 1e-3;

/** Non-negative least squares of relative errors; columns are scaled to their largest entry. Amounts are above 0. */
export const fitLaw = (sizes: readonly JobSize[], amounts: readonly number[]): MemoryLaw => {
  const { rows, scales } = equationsOf(sizes, amounts);
  const used = [...scales.keys()].filter((column) => rows.some((row) => row[column]! > 0));
  const equations = rows.map((row) => used.map((column) => row[column]!));
  // Where there are fewer sizes than terms, the solution of small coefficients.
  const small = equations.length < used.length ? used.map((_, i) => used.map((__, j) => (i === j ? SMALLNESS : 0))) : [];
  const { K } = fcnnlsVector([...equations, ...small], [...equations.map(() => 1), ...small.map(() => 0)]);
  const law = [0, 0, 0, 0] as [number, number, number, number];
  for (const [index, value] of K.to1DArray().entries()) law[used[index]!] = value / scales[used[index]!]!;
  return law;
};

/** Coefficients in units of their scale are shares of an amount, so none is above 1. */
const SHARE_SPREAD = 0.5;

/**
 * How uncertain a law fitted to these sizes is of another one, which holds about `amount`: variance of its relative error,
 * as a multiple of that of the measurements (`spread`²). Bayesian linear regression with coefficients of 0 ± 0.5 of their
 * scale (Bishop 2006, eq. 3.59).
 */
export const leverageOf = (sizes: readonly JobSize[], amounts: readonly number[], spread: number): ((size: JobSize, amount: number) => number) => {
  const { rows, scales } = equationsOf(sizes, amounts);
  const gram = scales.map((_, i) => scales.map((__, j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, i === j ? (spread / SHARE_SPREAD) ** 2 : 0)));
  const factor = cholesky(gram);
  return (size, amount) => {
    const terms = termsOf(size).map((term, column) => term / amount / scales[column]!);
    return solveLower(factor, terms).reduce((sum, each) => sum + each ** 2, 0);
  };
};

/** Lower triangle F with F·Fᵀ = `matrix`, which is positive definite. */
const cholesky = (matrix: readonly (readonly number[])[]): readonly (readonly number[])[] => {
  const factor = matrix.map((row) => row.map(() => 0));
  for (const [i, row] of matrix.entries()) {
    for (let j = 0; j <= i; j++) {
      const rest = row[j]! - dot(factor[i]!.slice(0, j), factor[j]!);
      factor[i]![j] = i === j ? Math.sqrt(rest) : rest / factor[j]![j]!;
    }
  }
  return factor;
};

/** x with `factor`·x = `values`. */
const solveLower = (factor: readonly (readonly number[])[], values: readonly number[]): readonly number[] => {
  const solved: number[] = [];
  for (const [i, value] of values.entries()) solved.push((value - dot(solved, factor[i]!)) / factor[i]![i]!);
  return solved;
};
