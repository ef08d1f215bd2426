import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { Failure } from '../failure.ts';
import { clientFailure, withServer, type ServerFlags } from '../server-option.ts';

/** `mlora cancel`: ends jobs at their next iteration ends, or takes them out of the queue. */
export const cancelCommand = (jobs: readonly string[], flags: ServerFlags): TE.TaskEither<Failure, void> =>
  withServer(flags, (client) =>
    pipe(
      jobs,
      TE.traverseSeqArray((job) =>
        pipe(
          client.cancel(job),
          TE.bimap(clientFailure('mlora cancel'), ({ id, state }) => process.stdout.write(`${id} ${state}\n`)),
        ),
      ),
      TE.map(() => undefined),
    ),
  );
