/**
 * The work of a stage as a table. For microbatches of the same adapters the list of kernels is always the same, and
 * FLOPs, bytes and counts of each are affine in every part's rows, tokens, squared tokens and targets. So a few
 * evaluations of the full description give all coefficients, and a shape costs a few multiplications.
 */
import type { MicrobatchShape } from '../plan/plan.ts';

type Describe = (shape: MicrobatchShape) => readonly number[];

const SIZES = ['rows', 'tokens', 'squaredTokens', 'targets'] as const;
type Size = (typeof SIZES)[number];

export interface AffineOptions {
  readonly varying?: readonly Size[];
  /** A number that adapters share where `describe` cannot tell them apart; each its own unless told. */
  readonly kindOf?: (adapter: number) => number;
}

/**
 * `describe`, evaluated through coefficients; exact up to rounding if `describe` is affine in the sizes of the parts, and
 * does not depend on those that are not `varying`. Adapters of which `kindOf` says the same are described once.
 */
export const tabulateAffine = (
  describe: Describe,
  { varying = SIZES, kindOf = (adapter: number) => adapter }: AffineOptions = {},
): ((shape: MicrobatchShape) => Float64Array) => {
  const tables = new Map<string, AffineTable>();
  return (shape) => {
    const key = keyOf(shape, kindOf);
    let table = tables.get(key);
    if (table === undefined) tables.set(key, (table = createTable(describe, varying, shape)));
    return evaluate(table, varying, shape);
  };
};

/** `constant[i] + Σ slope[part][size][i] · size`, for every output i; null where a size changes nothing. */
interface AffineTable {
  readonly constant: Float64Array;
  readonly slopes: readonly (Float64Array | null)[];
}

const keyOf = ({ parts }: MicrobatchShape, kindOf: (adapter: number) => number): string => {
  let key = '';
  for (const { adapter } of parts) key += `${kindOf(adapter)},`;
  return key;
};

const createTable = (describe: Describe, varying: readonly Size[], { parts }: MicrobatchShape): AffineTable => {
  const empty = parts.map(({ adapter }) => ({ adapter, rows: 0, tokens: 0, squaredTokens: 0, targets: 0 }));
  const constant = Float64Array.from(describe({ parts: empty }));
  const slopes = empty.flatMap((part, index) =>
    varying.map((size) => differenceOf(describe({ parts: empty.with(index, { ...part, [size]: 1 }) }), constant)),
  );
  return { constant, slopes };
};

/** What is above a constant; null where nothing is. */
const differenceOf = (values: readonly number[], constant: Float64Array): Float64Array | null => {
  const slope = new Float64Array(constant.length);
  let differs = false;
  for (let output = 0; output < slope.length; output++) {
    slope[output] = values[output]! - constant[output]!;
    if (slope[output] !== 0) differs = true;
  }
  return differs ? slope : null;
};

const evaluate = ({ constant, slopes }: AffineTable, varying: readonly Size[], { parts }: MicrobatchShape): Float64Array => {
  const values = constant.slice();
  let slope = 0;
  for (const part of parts) {
    for (const size of varying) {
      const factors = slopes[slope++] ?? null;
      if (factors === null) continue;
      const amount = part[size] ?? part.tokens;
      for (let output = 0; output < values.length; output++) values[output]! += factors[output]! * amount;
    }
  }
  return values;
};
