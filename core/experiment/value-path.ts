import * as E from 'fp-ts/lib/Either.js';
import { isRecord, type PathSegments } from '../structure.ts';

const STEP = /(?:^|\.)([\w-]+)|\[(\d+)\]/y;

/** `jobs[0].adapter.rank` as its keys and indices; null where the text is no path. */
export const parsePath = (text: string): PathSegments | null => {
  const segments: (string | number)[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < text.length) {
    const step = STEP.exec(text);
    if (step === null) return null;
    segments.push(step[1] ?? Number(step[2]));
  }
  return segments.length === 0 ? null : segments;
};

/** The value with another one at a path; mappings on the way are made where they are missing. Left: why it has no such place. */
export const replaceAt = (value: unknown, [first, ...rest]: PathSegments, replacement: unknown): E.Either<string, unknown> => {
  if (first === undefined) return E.right(replacement);
  if (typeof first === 'number') {
    if (!Array.isArray(value)) return E.left(`there is no list for [${first}]`);
    const list: readonly unknown[] = value;
    if (first >= list.length) return E.left(`the list has ${list.length} entries, so none at [${first}]`);
    const changed = replaceAt(list[first], rest, replacement);
    return E.isLeft(changed) ? changed : E.right(list.map((entry, index) => (index === first ? changed.right : entry)));
  }
  const key = String(first);
  if (value !== undefined && !isRecord(value)) return E.left(`there is no mapping for ${key}`);
  const changed = replaceAt(value?.[key], rest, replacement);
  return E.isLeft(changed) ? changed : E.right({ ...value, [key]: changed.right });
};
