import { stringify } from 'csv-stringify/sync';
import type { LossSeries } from '../viz/report.ts';

/** losses.csv: training and held-out losses of every adapter, by iterations made. */
export const lossesCsv = (series: readonly LossSeries[]): string =>
  stringify(
    series.flatMap(({ name: adapter, training, heldout }) => [
      ...training.map((each) => ({ adapter, set: 'train', ...each })),
      ...heldout.map((each) => ({ adapter, set: 'heldout', ...each })),
    ]),
    { header: true, columns: ['adapter', 'iteration', 'set', 'loss'] },
  );
