import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { ServedEvent, ServedJob } from '../../core/served-job.ts';
import type { Failure } from '../failure.ts';
import { clientFailure, withServer, type ServerFlags } from '../server-option.ts';

export interface LogsFlags extends ServerFlags {
  /** A JSON object a line. */
  readonly json?: true;
}

/** An event in a line, e.g. `2026-01-01T00:00:00.000Z iteration 3 loss 1.2345`. */
const lineOf = ({ at, kind, iteration, loss, detail }: ServedEvent): string => {
  const parts = [at, kind, iteration ?? '', loss === null ? '' : `loss ${loss.toFixed(4)}`, detail ?? ''];
  return parts.filter((part) => part !== '').join(' ');
};

const endOf = ({ state, id, error }: ServedJob): TE.TaskEither<Failure, void> =>
  error === null ? TE.right(undefined) : TE.left({ kind: 'failed', message: `job ${id} ${state}: ${error}` });

/** `mlora logs`: what has happened to a job and what happens, until it ends. */
export const logsCommand = (job: string, flags: LogsFlags): TE.TaskEither<Failure, void> =>
  withServer(flags, (client) =>
    pipe(
      client.follow(job, (event) => process.stdout.write(`${flags.json === true ? JSON.stringify(event) : lineOf(event)}\n`)),
      TE.chain(() => client.inspect(job)),
      TE.mapLeft(clientFailure('mlora logs')),
      TE.chain(endOf),
    ),
  );
