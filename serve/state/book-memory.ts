import type { ServedJobState } from '../../core/served-job.ts';
import type { Row, Value } from './open-database.ts';

/** Rows of jobs that are remembered. */
const MOST_ROWS = 1000;

/**
 * What is asked of the book again and again while nothing but iterations are written: reading one row
 * takes about 50 µs. Every change of the book is noted here too; where one fails all is forgotten.
 */
export interface BookMemory {
  /** Accepted jobs by state; null: not known. */
  counts: Readonly<Partial<Record<ServedJobState, number>>> | null;
  lastEvent: number | null;
  /** An accepted job by its number or its id; undefined where it is not remembered. */
  readonly row: (name: string) => Row | undefined;
  readonly keep: (row: Row) => void;
  /** Columns of a job have new values; the first start stays. */
  readonly note: (number: number, columns: Readonly<Record<string, Value>>) => void;
  readonly forget: () => void;
}

export const createBookMemory = (): BookMemory => {
  const rows = new Map<string, Row>();
  const numbers = new Map<string, string>();
  const memory: BookMemory = {
    counts: null,
    lastEvent: null,
    row: (name) => rows.get(numbers.get(name) ?? name),
    keep: (row) => {
      if (rows.size >= MOST_ROWS) memory.forget();
      rows.set(String(row.number), row);
      numbers.set(String(row.id), String(row.number));
    },
    note: (number, columns) => {
      if ('state' in columns || 'accepted' in columns) memory.counts = null;
      const row = rows.get(String(number));
      if (row !== undefined) rows.set(String(number), { ...row, ...columns, started_ms: row.started_ms ?? columns.started_ms ?? null });
    },
    forget: () => {
      rows.clear();
      numbers.clear();
      memory.counts = null;
      memory.lastEvent = null;
    },
  };
  return memory;
};
