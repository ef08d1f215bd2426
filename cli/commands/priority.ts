import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { Failure } from '../failure.ts';
import { clientFailure, withServer, type ServerFlags } from '../server-option.ts';

/** `mlora priority`: changes how soon a job runs; a larger number first. */
export const priorityCommand = (job: string, priority: number, flags: ServerFlags): TE.TaskEither<Failure, void> =>
  withServer(flags, (client) =>
    pipe(
      client.changePriority(job, priority),
      TE.bimap(clientFailure('mlora priority'), (changed) => void process.stdout.write(`${changed.id} ${changed.state}, priority ${changed.priority}\n`)),
    ),
  );
