/** What became of the trials of a grid, best first. */
import { stringify } from 'csv-stringify/sync';
import type { JobGrid } from '../../core/experiment/job-grid.ts';
import { formatTable } from '../../core/text-table.ts';
import type { LiveFinish } from '../../exec/live/live-run.ts';
import { valueText } from '../sweep/sweep.ts';

export interface TrialRow {
  readonly name: string;
  /** By path of the grid. */
  readonly values: readonly unknown[];
  /** Null: it was refused. */
  readonly end: LiveFinish | null;
}

/** Held-out loss of a trial that has left an adapter; of others the worst. */
const lossOf = ({ end }: TrialRow): number => (typeof end?.adapterFolder === 'string' ? (end.heldoutLoss ?? Infinity) : Infinity);

/** Rows in order of their held-out losses; trials without an adapter are the last. */
export const trialRows = (grid: JobGrid, ends: readonly LiveFinish[]): readonly TrialRow[] =>
  grid.trials
    .map(({ name, values }): TrialRow => ({ name, values, end: ends.find(({ job }) => job === name) ?? null }))
    .sort((a, b) => (lossOf(a) === lossOf(b) ? 0 : lossOf(a) - lossOf(b)));

/** The trial whose adapter has the lowest held-out loss; null where none has any. */
export const bestTrial = ([first]: readonly TrialRow[]): (TrialRow & { readonly end: LiveFinish & { readonly adapterFolder: string; readonly heldoutLoss: number } }) | null =>
  first === undefined || lossOf(first) === Infinity ? null : (first as ReturnType<typeof bestTrial>);

const outcomeOf = ({ end }: TrialRow): string => end?.outcome ?? 'refused';

export const trialsCsv = ({ paths }: JobGrid, rows: readonly TrialRow[]): string =>
  stringify(
    rows.map((row) => [row.name, ...row.values.map(valueText), outcomeOf(row), row.end?.made ?? '', row.end?.iteration ?? '', row.end?.heldoutLoss ?? '', row.end?.adapterFolder ?? '']),
    { header: true, columns: ['trial', ...paths, 'outcome', 'iterationsMade', 'adapterIteration', 'heldoutLoss', 'adapter'] },
  );

const MOST_SHOWN = 20;

/** The best trials, and how many others there are. */
export const formatTrials = ({ paths }: JobGrid, rows: readonly TrialRow[]): string => {
  const cells = (row: TrialRow): string[] => [
    row.name,
    ...row.values.map(valueText),
    outcomeOf(row),
    row.end === null ? '–' : String(row.end.made),
    row.end === null ? '–' : String(row.end.iteration),
    row.end?.heldoutLoss?.toFixed(4) ?? '–',
  ];
  const hidden = rows.length - MOST_SHOWN;
  const header = ['trial', ...paths, 'outcome', 'iterations', 'of its adapter', 'held-out loss'];
  return [formatTable([header, ...rows.slice(0, MOST_SHOWN).map(cells)]), ...(hidden > 0 ? [`and ${hidden} more`] : [])].join('\n');
};
