import type { NonEmptyArray } from 'fp-ts/lib/NonEmptyArray.js';

/** One thing wrong with an input: where it is, what was found and what was expected. */
export interface Problem {
  /** Path inside the file, e.g. `jobs[2].adapter.rank`; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong, as a sentence that names the value and what was expected. */
  readonly message: string;
}

export type Problems = NonEmptyArray<Problem>;

export const problem = (path: string, message: string): Problem => ({ path, message });

/** The same problems, their paths seen from a larger file. */
export const mapPaths =
  (change: (path: string) => string) =>
  ([first, ...rest]: Problems): Problems => {
    const moved = ({ path, message }: Problem): Problem => problem(change(path), message);
    return [moved(first), ...rest.map(moved)];
  };

/** One line per problem, each starting with the file and the path inside it. */
export const formatProblems = (file: string, problems: Problems): string =>
  problems.map(({ path, message }) => `${file}${path === '' ? '' : `: ${path}`}: ${message}`).join('\n');

const MAX_SHOWN = 80;

/** A value as it appears in a message: JSON, cut to a readable length. */
export const show = (value: unknown): string => {
  const text = typeof value === 'function' || value === undefined ? String(value) : JSON.stringify(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
};
