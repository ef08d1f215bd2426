import * as E from 'fp-ts/lib/Either.js';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import { type Problem, type Problems, problem, show } from '../../core/problem.ts';
import { type ElementType, elementBytes, isElementType } from './element-type.ts';

/** Where a tensor lies: a byte range of the file's data section, `end` exclusive. */
export interface TensorEntry {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export type TensorEntries = ReadonlyMap<string, TensorEntry>;

/**
 * Reads the JSON header of a safetensors file whose data section has `dataBytes` bytes. The header is hostile input: every
 * entry is checked, and the ranges must cover the data section without overlap and without holes, as the format demands.
 */
export const parseSafetensorsHeader = (json: string, dataBytes: number): E.Either<Problems, TensorEntries> => {
  const header = parseObject(json);
  if (header === undefined) return E.left([problem('', 'the header is not a JSON object')]);
  const parsed = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => parseEntry(name, value));
  const problems = [
    ...repeatedKeys(json).map(repeated),
    ...parsed.flatMap(
      E.match(
        (wrong) => [wrong],
        () => [],
      ),
    ),
  ];
  const entries = parsed.flatMap(
    E.match(
      () => [],
      (entry) => [entry],
    ),
  );
  if (problems.length === 0) problems.push(...checkCover(entries, dataBytes));
  return isNonEmpty(problems) ? E.left(problems) : E.right(new Map(entries.map((entry) => [entry.name, entry])));
};

const repeated = (name: string): Problem => problem(name, 'this tensor name appears more than once in the header');

const parseObject = (json: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(json);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const parseEntry = (name: string, value: unknown): E.Either<Problem, TensorEntry> => {
  const wrong = (message: string): E.Either<Problem, TensorEntry> => E.left(problem(name, message));
  if (!isObject(value))
    return wrong(`the entry is ${show(value)}; expected an object with dtype, shape and data_offsets`);
  const { dtype: type, shape, data_offsets: offsets } = value;
  if (!isElementType(type)) return wrong(`dtype is ${show(type)}, which is not a safetensors type`);
  if (!Array.isArray(shape) || !shape.every(isCount)) return wrong(`shape is ${show(shape)}; expected whole numbers`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0]! > offsets[1]!) {
    return wrong(`data_offsets is ${show(offsets)}; expected [begin, end] with 0 ≤ begin ≤ end`);
  }
  const [begin, end] = offsets as [number, number];
  const bytes = shape.reduce((product: number, size: number) => product * size, elementBytes(type));
  if (bytes !== end - begin)
    return wrong(`shape ${show(shape)} of ${type} takes ${bytes} bytes, data_offsets give ${end - begin}`);
  return E.right({ name, type, shape, begin, end });
};

const checkCover = (entries: readonly TensorEntry[], dataBytes: number): Problem[] => {
  const problems: Problem[] = [];
  let covered = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (end > dataBytes) problems.push(problem(name, `ends at byte ${end} of the data, which has only ${dataBytes}`));
    else if (begin < covered)
      problems.push(problem(name, `starts at byte ${begin}, inside the tensor before it, which ends at ${covered}`));
    else if (begin > covered)
      problems.push(problem(name, `starts at byte ${begin}; bytes ${covered} to ${begin} belong to no tensor`));
    covered = Math.max(covered, end);
  }
  if (covered < dataBytes)
    problems.push(problem('', `bytes ${covered} to ${dataBytes} of the data belong to no tensor`));
  return problems;
};

/** Keys that occur twice at the top level of a JSON object; `JSON.parse` would keep the last one without a word. */
const repeatedKeys = (json: string): string[] => {
  const seen = new Set<string>();
  const twice = new Set<string>();
  let depth = 0;
  for (const [token, text] of json.matchAll(/"([^"\\]*(?:\\.[^"\\]*)*)"(?=\s*:)|"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && text !== undefined) {
      const key = JSON.parse(token) as string;
      (seen.has(key) ? twice : seen).add(key);
    }
  }
  return [...twice];
};
