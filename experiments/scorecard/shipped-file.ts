import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.ts';
import type { Split } from './data-set.ts';

/** The text of a data file, by its path inside `experiments/scorecard`. */
export const readShipped = (path: string): string => readFileSync(join(PACKAGE_ROOT, 'experiments', 'scorecard', path), 'utf8');

export const readShippedJson = (path: string): unknown => JSON.parse(readShipped(path));

/** The split of a data set, as it stands beside its data. */
export const readSplit = (path: string): Split => readShippedJson(path) as Split;
