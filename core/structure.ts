/**
 * Structure of input files: zod checks the shape, every complaint becomes a `Problem` of ours, with the path inside the
 * file, the value and what was expected. Schemas are built from the few pieces below, so that all messages read alike.
 */
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { suggest } from './nearest.ts';
import { problem, show, type Problems } from './problem.ts';

export type PathSegments = readonly PropertyKey[];

/** `['jobs', 2, 'adapter']` as `jobs[2].adapter`. */
export const pathText = (segments: PathSegments): string =>
  segments.reduce<string>((path, segment) => {
    if (typeof segment === 'number') return `${path}[${segment}]`;
    const name = String(segment);
    if (!/^[\w-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
    return path === '' ? name : `${path}.${name}`;
  }, '');

/** Paths of a section as they read from the whole file. */
export const inside =
  (...prefix: PathSegments) =>
  (segments: PathSegments): string =>
    pathText([...prefix, ...segments]);

/** A value that `accepts` recognises; `expected` completes the sentence "expected …". */
export const leaf = <T>(
  expected: string | ((input: unknown) => string),
  accepts: (value: unknown) => boolean,
): z.ZodType<T> =>
  z.custom<T>(accepts, { error: ({ input }) => (typeof expected === 'string' ? expected : expected(input)) });

/** A value that `convert` turns into another one; null means that it cannot. */
export const converted = <T>(expected: string, convert: (value: unknown) => T | null): z.ZodType<T> =>
  z.unknown().transform((input, context) => {
    const value = convert(input);
    if (value !== null) return value;
    context.issues.push({ code: 'custom', message: expected, input });
    return z.NEVER;
  });

/** One of a few words. */
export const oneOf = <T extends string>(words: readonly T[]): z.ZodType<T> =>
  leaf<T>(
    (input) => `expected ${words.length === 1 ? '' : 'one of '}${words.join(', ')}${suggest(input, words)}`,
    (value) => words.some((word) => word === value),
  );

const unknownKey = (key: string, known: readonly string[]): string =>
  `unknown key${suggest(key, known) || `; known keys: ${known.join(', ')}`}`;

/** An object with these keys and no others; an unknown key is reported with the nearest known one. */
export const closed = <S extends z.core.$ZodShape>(shape: S) =>
  z.strictObject(shape, {
    // One line for each unknown key: `findingsOf` takes them apart again, because zod reports all keys in one issue.
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => unknownKey(key, Object.keys(shape))).join('\n')
        : undefined,
  });

/** The schema that `choose` picks by looking at the value; for alternatives that no single key tells apart. */
export const chosen = <T>(choose: (value: unknown) => z.ZodType<T>): z.ZodType<T> =>
  z.unknown().transform((input, context) => {
    const result = choose(input).safeParse(input, { reportInput: true });
    if (result.success) return result.data;
    for (const { segments, message } of result.error.issues.flatMap(findingsOf)) {
      context.issues.push({ code: 'custom', path: [...segments], message, input, params: COMPLETE });
    }
    return z.NEVER;
  });

/** Marks an issue whose message is a whole sentence already. */
export const COMPLETE = { complete: true } as const;

interface Finding {
  readonly segments: PathSegments;
  readonly message: string;
}

const EXPECTED: Readonly<Record<string, string>> = {
  object: 'a mapping of keys to values',
  array: 'a list',
  boolean: 'true or false',
};

const sentence = (value: unknown, expected: string): string =>
  value === undefined ? `is missing; ${expected}` : `is ${show(value)}; ${expected}`;

const findingsOf = (issue: z.core.$ZodIssue): Finding[] => {
  const segments = issue.path;
  switch (issue.code) {
    case 'unrecognized_keys': {
      const messages = issue.message.split('\n');
      return issue.keys.map((key, index) => ({ segments: [...segments, key], message: messages[index]! }));
    }
    case 'custom':
      return [{ segments, message: issue.params === COMPLETE ? issue.message : sentence(issue.input, issue.message) }];
    case 'invalid_type':
      return [{ segments, message: sentence(issue.input, `expected ${EXPECTED[issue.expected] ?? issue.expected}`) }];
    default:
      return [{ segments, message: sentence(issue.input, issue.message) }];
  }
};

/**
 * Everything that is wrong with a value's structure, or the typed value. `locate` gives the text of a path inside the
 * value, for values that are part of a larger file.
 */
export const readStructure = <T>(
  schema: z.ZodType<T>,
  value: unknown,
  locate: (segments: PathSegments) => string = pathText,
): E.Either<Problems, T> => {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return E.right(result.data);
  const problems = result.error.issues
    .flatMap(findingsOf)
    .map(({ segments, message }) => problem(locate(segments), message));
  if (!isNonEmpty(problems)) throw result.error;
  return E.left(problems);
};

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
