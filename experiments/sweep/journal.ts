/**
 * Results of a sweep as they come: one JSON object per line, appended and never taken away, so that a run that is stopped
 * at any moment loses at most the line it was writing.
 */
import { appendFileSync, existsSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { problem, type Problem, type Problems } from '../../core/problem.ts';
import { isRecord } from '../../core/structure.ts';
import type { PointResult } from './sweep.ts';

export interface Journal {
  /** Results by the id of their point, appended ones included. */
  readonly known: ReadonlyMap<string, PointResult>;
  readonly append: (id: string, result: PointResult) => void;
}

/** Every process that runs a part of a sweep has a journal of its own, so that no two append to one file over a network. */
export const journalName = (part: string | null): string => (part === null ? 'points.jsonl' : `points.${part}.jsonl`);
const JOURNAL = /^points(\..+)?\.jsonl$/;

/** Whole lines of a file, and whether a line after them was cut off. */
const readWhole = (path: string): { readonly whole: string; readonly isCut: boolean } => {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  return { whole, isCut: whole.length < text.length };
};

/** Notes the results of whole lines; returns what is no result. */
const readLines = (whole: string, known: Map<string, PointResult>): Problem[] => {
  const problems: Problem[] = [];
  for (const [index, line] of whole.split('\n').entries()) {
    if (line === '') continue;
    const entry = readLine(line);
    if (entry === null) problems.push(problem('', `line ${index + 1} is no result of a sweep; remove it, and its point runs again`));
    else known.set(entry.id, entry.result);
  }
  return problems;
};

/** Journals of other parts in the same folder; their last lines may be being written. */
const neighboursOf = (path: string): string[] =>
  (existsSync(dirname(path)) ? readdirSync(dirname(path)) : []).filter((name) => JOURNAL.test(name) && name !== basename(path)).map((name) => join(dirname(path), name));

/**
 * Opens a journal, an empty one where there is no file, with the results of the other journals in its folder. A last line that
 * was cut off is dropped. Left: lines that are not ours.
 */
export const openJournal = (path: string): E.Either<Problems, Journal> => {
  const known = new Map<string, PointResult>();
  for (const neighbour of neighboursOf(path)) readLines(readWhole(neighbour).whole, known);
  const { whole, isCut } = readWhole(path);
  const problems = readLines(whole, known);
  if (isNonEmpty(problems)) return E.left(problems);
  if (isCut) truncateSync(path, Buffer.byteLength(whole));
  return E.right({
    known,
    append: (id, result) => {
      appendFileSync(path, `${JSON.stringify({ id, result })}\n`);
      known.set(id, result);
    },
  });
};

interface Entry {
  readonly id: string;
  readonly result: PointResult;
}

const OUTCOMES: readonly string[] = ['ok', 'doesNotFit', 'outOfMemory', 'deadlock'] satisfies readonly PointResult['outcome'][];

const readLine = (line: string): Entry | null => {
  const value = E.toUnion(E.tryCatch(() => JSON.parse(line) as unknown, () => null));
  if (!isRecord(value) || typeof value.id !== 'string' || !isRecord(value.result)) return null;
  return typeof value.result.outcome === 'string' && OUTCOMES.includes(value.result.outcome) ? (value as unknown as Entry) : null;
};
