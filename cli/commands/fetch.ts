import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { messageOf } from '../../core/error-message.ts';
import { problem } from '../../core/problem.ts';
import type { ServedJob } from '../../core/served-job.ts';
import type { Client } from '../../serve/client.ts';
import { isTaken, unpackAdapter } from '../../serve/unpack-adapter.ts';
import { badInput, type Failure } from '../failure.ts';
import { clientFailure, withServer, type ServerFlags } from '../server-option.ts';

export interface FetchFlags extends ServerFlags {
  /** New folder; absent: called like the job. */
  readonly out?: string;
}

/** `mlora fetch`: brings the adapter of a job from a server, as a folder that PEFT loads. */
export const fetchCommand = (job: string, flags: FetchFlags): TE.TaskEither<Failure, void> =>
  withServer(flags, (client) =>
    pipe(
      client.inspect(job),
      TE.mapLeft(clientFailure('mlora fetch')),
      TE.chain((found) => fetchInto(client, found, flags.out ?? found.id)),
    ),
  );

const refuse = (out: string, message: string): Failure => badInput(out, [problem('', message)]);

const fetchInto = (client: Client, { id }: ServedJob, out: string): TE.TaskEither<Failure, void> =>
  pipe(
    TE.fromTask(() => isTaken(out)),
    TE.chain((taken) => (taken ? TE.left(refuse(out, 'exists; expected the name of a new folder')) : pipe(client.adapter(id), TE.mapLeft(clientFailure('mlora fetch'))))),
    TE.chain(({ archive, files }) =>
      TE.tryCatch(
        () => unpackAdapter(out, archive, files),
        (error): Failure => ({ kind: 'failed', message: `${out}: ${messageOf(error)}` }),
      ),
    ),
    TE.map(() => void process.stdout.write(`the adapter of ${id} is in ${out}\n`)),
  );
