/**
 * How long each span should have taken.
 *
 * In virtual time that is what it took, except where launches made one of several equal ops longer. A measured op is
 * compared with a line over the tokens of its microbatch, fitted to the ops of its kind, stage and group (steps: of its
 * adapter); a measured transfer with those whose receiver had nothing else to do, because a busy process takes delivery
 * late. What a span took beyond that is no property of the plan.
 */
import { STREAM } from '../plan/op.ts';
import type { Trace } from '../trace/trace.ts';
import { carriesMicrobatch, isCommunication, lastBefore, tokensOf, type SpanIndex } from './span-index.ts';

/** Nanoseconds by row, never more than the span took. */
export const expectedTimes = (trace: Trace, index: SpanIndex): Float64Array => {
  const { spans, source } = trace;
  const expected = Float64Array.from({ length: spans.length }, (_, row) => spans.endNs[row]! - spans.startNs[row]!);
  if (source === 'simulated' && !spans.stream.includes(STREAM.host)) return expected;
  const expect = source === 'simulated' ? expectShortest : expectFitted;
  for (const rows of equalOps(trace).values()) expect(trace, index, rows, expected);
  return expected;
};

type Expect = (trace: Trace, index: SpanIndex, rows: readonly number[], expected: Float64Array) => void;

/** Compute spans and transfers that differ in nothing but the size of their microbatch, in virtual time not even in that. */
const equalOps = ({ spans, plan, source }: Trace): Map<number, number[]> => {
  const groups = new Map<number, number[]>();
  const { microbatches, stages } = plan;
  const column = source === 'simulated' ? microbatches.shape : microbatches.group;
  const width = 1 + column.reduce((largest, value) => Math.max(largest, value), plan.adapters.length);
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] === STREAM.host || (source === 'simulated' && spans.stream[row] !== STREAM.compute)) continue;
    const kind = spans.kind[row]!;
    const operand = spans.operand[row]!;
    const key = (kind * stages.length + spans.stage[row]!) * width + (carriesMicrobatch(kind) ? column[operand]! : operand);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
};

const expectShortest: Expect = (_trace, _index, rows, expected) => {
  const shortest = rows.reduce((least, row) => Math.min(least, expected[row]!), Infinity);
  for (const row of rows) expected[row] = shortest;
};

const expectFitted: Expect = (trace, index, rows, expected) => {
  const sizeOf = (row: number): number => tokensOf(trace, row);
  const sample = isCommunication(trace.spans.kind[rows[0]!]!) ? undisturbed(trace, index, rows) : rows;
  const line = fitLine(sample.map((row) => ({ size: sizeOf(row), ns: expected[row]! })));
  for (const row of rows) expected[row] = Math.min(expected[row]!, Math.max(0, Math.round(line(sizeOf(row)))));
};

const FEWEST = 3;

/** Transfers whose device computed nothing meanwhile; where there are hardly any, the quicker half of all. */
const undisturbed = ({ spans }: Trace, { computeRows }: SpanIndex, rows: readonly number[]): readonly number[] => {
  const isAlone = (row: number): boolean => {
    const computed = computeRows[spans.device[row]!]!;
    const last = lastBefore(computed, spans.startNs, spans.endNs[row]!);
    return last < 0 || spans.endNs[computed[last]!]! <= spans.startNs[row]!;
  };
  const alone = rows.filter(isAlone);
  if (alone.length >= FEWEST) return alone;
  const durationOf = (row: number): number => spans.endNs[row]! - spans.startNs[row]!;
  return [...rows].sort((a, b) => durationOf(a) - durationOf(b)).slice(0, Math.ceil(rows.length / 2));
};

interface Point {
  readonly size: number;
  readonly ns: number;
}

/** Points further off than this many median distances are disturbances of the machine. */
const OUTLIER = 4;

/** Least squares, once more without outliers; the median where sizes do not differ enough to tell a slope. */
const fitLine = (points: readonly Point[]): ((size: number) => number) => {
  const line = leastSquares(points);
  const distances = points.map(({ size, ns }) => Math.abs(ns - line(size)));
  const limit = OUTLIER * median(distances);
  const kept = points.filter((_, at) => distances[at]! <= limit);
  return leastSquares(kept.length < FEWEST ? points : kept);
};

const leastSquares = (points: readonly Point[]): ((size: number) => number) => {
  const middle = median(points.map(({ ns }) => ns));
  if (points.length < FEWEST) return () => middle;
  const mean = (read: (point: Point) => number): number => points.reduce((sum, point) => sum + read(point), 0) / points.length;
  const [size, ns] = [mean((point) => point.size), mean((point) => point.ns)];
  const spread = mean((point) => (point.size - size) ** 2);
  const slope = spread > 0 ? mean((point) => (point.size - size) * (point.ns - ns)) / spread : 0;
  return slope > 0 ? (other) => ns + slope * (other - size) : () => middle;
};

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;
