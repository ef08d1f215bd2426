/** What a thread of `createRowReader` runs. */
import { parentPort, workerData } from 'node:worker_threads';
import * as E from 'fp-ts/lib/Either.js';
import { readJobRows, type JobRowsOptions } from './job-rows.ts';

const rows = await readJobRows(workerData as JobRowsOptions);
const tables = E.isLeft(rows) ? [] : rows.right.flatMap(({ training, heldout }) => [training, ...(heldout === null ? [] : [heldout])]);
// Tables are handed over, not copied.
const buffers = tables.flatMap(({ start, tokens, targets }) => [start.buffer, tokens.buffer, targets.buffer]);
parentPort!.postMessage(rows, [...new Set(buffers)] as ArrayBuffer[]);
