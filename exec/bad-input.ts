import * as E from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import type { Problems } from '../core/problem.ts';
import { type ExecError, ExecFailure } from './exec-error.ts';

/** The value, or an ExecFailure that names the file and what is wrong in it. */
export const orBadInput =
  (file: string) =>
  <A>(result: E.Either<Problems, A>): A => {
    if (E.isLeft(result)) throw new ExecFailure({ kind: 'badInput', files: [{ file, problems: result.left }] });
    return result.right;
  };

/** A public function from one that throws ExecFailures; other errors are bugs and stay what they are. */
export const catchExecFailure =
  <A>(run: () => Promise<A>): TaskEither<ExecError, A> =>
  async () => {
    try {
      return E.right(await run());
    } catch (error) {
      if (error instanceof ExecFailure) return E.left(error.error);
      throw error;
    }
  };
