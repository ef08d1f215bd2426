import { firstRowOfMicrobatch, rowsOfMicrobatch, sizeOfRows, type PartSize } from '../../core/workload.ts';
import { blockSquares } from '../model/batch-layout.ts';
import type { Row } from '../packed-batch.ts';
import { shuffleRows, sortRows } from './row-order.ts';
import { countTargets, rowAt, rowLength, type RowTable } from './row-table.ts';

/** Rows of one adapter, as the microbatches of a plan take them. */
export interface RowSource {
  readonly iterations: number;
  /** Pieces each mini-batch is split into. */
  readonly microbatches: number;
  readonly rows: (iteration: number, index: number) => readonly Row[];
  /** Size of that microbatch, for planning. */
  readonly part: (iteration: number, index: number) => PartSize;
  /** 1 ÷ number of targets in the whole mini-batch. */
  readonly lossScale: (iteration: number) => number;
}

export interface TrainingOrder {
  readonly batchSize: number;
  readonly microbatches: number;
  readonly iterations: number;
  readonly seed: number;
  /** Rows of each epoch: shuffled, or sorted by length. */
  readonly order: 'shuffled' | 'length';
}

interface RowRanges {
  readonly table: RowTable;
  readonly iterations: number;
  readonly microbatches: number;
  /** Row at a position of the stream of rows. */
  readonly rowIndex: (position: number) => number;
  /** Positions `[first, end)` of a microbatch. */
  readonly range: (iteration: number, index: number) => readonly [number, number];
}

const sourceOf = ({ table, iterations, microbatches, rowIndex, range }: RowRanges): RowSource => {
  const indices = (first: number, end: number): number[] =>
    Array.from({ length: end - first }, (_, offset) => rowIndex(first + offset));
  const rowsIn = (first: number, end: number): readonly Row[] => indices(first, end).map((row) => rowAt(table, row));
  return {
    iterations,
    microbatches,
    rows: (iteration, index) => rowsIn(...range(iteration, index)),
    part: (iteration, index) => {
      const taken = indices(...range(iteration, index));
      const targets = taken.reduce((sum, row) => sum + countTargets(rowAt(table, row)), 0);
      const lengths = taken.map((row) => rowLength(table, row));
      return { ...sizeOfRows(lengths), targets, blockSquares: blockSquares(lengths) };
    },
    lossScale: (iteration) => {
      const batch = rowsIn(range(iteration, 0)[0], range(iteration, microbatches - 1)[1]);
      return 1 / batch.reduce((sum, row) => sum + countTargets(row), 0);
    },
  };
};

/** Iterations of at most two neighbouring epochs are in flight together, so two orders are enough. */
const cachedOrders = (orderOf: (epoch: number) => Uint32Array): ((epoch: number) => Uint32Array) => {
  const recent = new Map<number, Uint32Array>();
  return (epoch) => {
    const known = recent.get(epoch);
    if (known !== undefined) return known;
    const order = orderOf(epoch);
    recent.set(epoch, order);
    if (recent.size > 2) recent.delete(Math.min(...recent.keys()));
    return order;
  };
};

const epochOrder = (table: RowTable, { seed, order }: TrainingOrder): ((epoch: number) => Uint32Array) => {
  if (order === 'shuffled') return (epoch) => shuffleRows(table.length, seed, epoch);
  const lengths = Array.from({ length: table.length }, (_, row) => rowLength(table, row));
  return (epoch) => sortRows(lengths, seed, epoch);
};

/**
 * Training rows of a job. The rows of all epochs, each ordered on its own, form one stream from which every
 * mini-batch takes the next `batchSize`: all mini-batches are full, one may span the border of two epochs.
 */
export const trainingRows = (table: RowTable, order: TrainingOrder): RowSource => {
  const { batchSize, microbatches, iterations } = order;
  const orderOf = cachedOrders(epochOrder(table, order));
  const firstRow = (index: number): number => firstRowOfMicrobatch(batchSize, microbatches, index);
  return sourceOf({
    table,
    iterations,
    microbatches,
    rowIndex: (position) => orderOf(Math.floor(position / table.length))[position % table.length]!,
    range: (iteration, index) => {
      const first = iteration * batchSize + firstRow(index);
      return [first, first + rowsOfMicrobatch(batchSize, microbatches, index)];
    },
  });
};

/** Held-out rows of a job: one pass in file order as a single iteration of microbatches of at most `batchSize` rows. */
export const heldoutRows = (table: RowTable, batchSize: number): RowSource =>
  sourceOf({
    table,
    iterations: 1,
    microbatches: Math.ceil(table.length / batchSize),
    rowIndex: (position) => position,
    range: (_, index) => [index * batchSize, Math.min((index + 1) * batchSize, table.length)],
  });
