import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Split } from './data-set.ts';

/** The folder that holds package.json: data is not compiled and stays there. */
const packageFolder = (folder: string): string =>
  existsSync(join(folder, 'package.json')) || folder === dirname(folder) ? folder : packageFolder(dirname(folder));

const SCORECARD = join(packageFolder(dirname(fileURLToPath(import.meta.url))), 'experiments', 'scorecard');

/** The text of a data file, by its path inside `experiments/scorecard`. */
export const readShipped = (path: string): string => readFileSync(join(SCORECARD, path), 'utf8');

export const readShippedJson = (path: string): unknown => JSON.parse(readShipped(path));

/** The split of a data set, as it stands beside its data. */
export const readSplit = (path: string): Split => readShippedJson(path) as Split;
