import * as E from 'fp-ts/lib/Either.js';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import { LineCounter, parseDocument } from 'yaml';
import { messageOf } from '../error-message.ts';
import { problem, type Problems } from '../problem.ts';

/** Plain data from YAML 1.2 text. Left: every syntax error with its line. */
export const parseYaml = (text: string): E.Either<Problems, unknown> => {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const problems = document.errors.map(({ message, pos: [offset] }) => {
    const { line, col } = lineCounter.linePos(offset);
    return problem('', `line ${line}, column ${col}: ${message}`);
  });
  if (isNonEmpty(problems)) return E.left(problems);
  return E.tryCatch(
    () => document.toJS() as unknown,
    (error) => [problem('', messageOf(error))],
  );
};
