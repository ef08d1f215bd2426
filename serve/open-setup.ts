import { dirname } from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { resolveSetup } from '../core/experiment/read.ts';
import { parseYaml } from '../core/experiment/yaml-text.ts';
import { isRecord } from '../core/structure.ts';
import { contextOf, fetchModel, readText, withAbsolutePaths } from '../exec/run/open-experiment.ts';
import type { FileProblems } from '../exec/exec-error.ts';
import type { ServerSetup } from './submission.ts';

/** What an experiment file says to a server: all but its jobs, of which only the number is told. */
export interface OpenSetup extends ServerSetup {
  readonly jobsInFile: number;
}

/** Reads the experiment file of a server; a hub's model is downloaded if it is not here yet. Left: everything wrong with it. */
export const openSetup = (path: string): TE.TaskEither<readonly FileProblems[], OpenSetup> =>
  pipe(
    readText(path),
    TE.chainFirst((text) => fetchModel(path, text)),
    TE.chainEitherK((text) =>
      pipe(
        parseYaml(text),
        E.chain((value) =>
          pipe(
            resolveSetup(value, contextOf(dirname(path))),
            E.map((experiment): OpenSetup => ({
              experiment: withAbsolutePaths(dirname(path), experiment),
              defaults: isRecord(value) ? value.defaults : undefined,
              jobsInFile: isRecord(value) && Array.isArray(value.jobs) ? value.jobs.length : 0,
            })),
          ),
        ),
        E.mapLeft((problems): readonly FileProblems[] => [{ file: path, problems }]),
      ),
    ),
  );
