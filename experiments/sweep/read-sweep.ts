import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import { messageOf } from '../../core/error-message.ts';
import { parsePath } from '../../core/experiment/value-path.ts';
import { parseYaml } from '../../core/experiment/yaml-text.ts';
import { nonEmptyText } from '../../core/leaves.ts';
import { problem, type Problem, type Problems } from '../../core/problem.ts';
import { closed, isRecord, leaf, readStructure } from '../../core/structure.ts';
import type { FileProblems } from '../../exec/exec-error.ts';
import type { Axis, Sweep } from './sweep.ts';

type BadFiles = readonly FileProblems[];

const sweepSchema = closed({
  name: nonEmptyText,
  base: leaf<unknown>('expected the path of an experiment file, or an experiment', (value) => isRecord(value) || (typeof value === 'string' && value !== '')),
  grid: leaf<Readonly<Record<string, unknown>>>(
    'expected a mapping of paths inside the experiment to lists of values',
    (value) => isRecord(value) && Object.keys(value).length > 0,
  ),
});

/** A sweep from the text of its file. Left: everything that is wrong with it and with the file of its base. */
export const readSweep = (path: string, text: string): E.Either<BadFiles, Sweep> =>
  pipe(
    parseYaml(text),
    E.chain((value) => readFile(value)),
    E.mapLeft((problems): BadFiles => [{ file: path, problems }]),
    E.chain(({ name, base, axes }) =>
      typeof base === 'string'
        ? pipe(
            readBase(resolve(dirname(path), base)),
            E.map((content): Sweep => ({ name, axes, base: content, folder: dirname(resolve(dirname(path), base)) })),
          )
        : E.right({ name, axes, base, folder: dirname(resolve(path)) }),
    ),
  );

const readFile = (value: unknown): E.Either<Problems, { readonly name: string; readonly base: unknown; readonly axes: readonly Axis[] }> => {
  const read = readStructure(sweepSchema, value);
  const grid: unknown = isRecord(value) ? value.grid : undefined;
  const problems = isRecord(grid) ? Object.entries(grid).flatMap(([path, values]) => checkAxis(path, values)) : [];
  if (E.isLeft(read)) return E.left([read.left[0], ...read.left.slice(1), ...problems]);
  if (isNonEmpty(problems)) return E.left(problems);
  const { name, base, grid: lists } = read.right;
  return E.right({ name, base, axes: Object.entries(lists).map(([path, values]) => ({ path, values: values as readonly unknown[] })) });
};

/** Where an axis, or one of its values, stands in the sweep's file. */
export const axisPlace = (path: string, index?: number): string => `grid[${JSON.stringify(path)}]${index === undefined ? '' : `[${index}]`}`;

const checkAxis = (path: string, values: unknown): Problem[] => {
  if (parsePath(path) === null) return [problem(axisPlace(path), 'is no path; expected keys and indices like jobs[0].adapter.rank')];
  if (!Array.isArray(values) || values.length === 0) return [problem(axisPlace(path), 'expected a list with at least one value')];
  const texts = values.map((value) => JSON.stringify(value));
  return texts.flatMap((text, index) => (texts.indexOf(text) < index ? [problem(axisPlace(path, index), `is ${text}, as an earlier one`)] : []));
};

const readBase = (path: string): E.Either<BadFiles, unknown> =>
  pipe(
    E.tryCatch(
      () => readFileSync(path, 'utf8'),
      (error): Problems => [problem('', `cannot be read: ${messageOf(error)}`)],
    ),
    E.chain(parseYaml),
    E.mapLeft((problems) => [{ file: path, problems }]),
  );
