import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { ServedJob } from '../../core/served-job.ts';
import { formatTable } from '../../core/text-table.ts';
import type { Failure } from '../failure.ts';
import { clientFailure, withServer, type ServerFlags } from '../server-option.ts';

export interface PsFlags extends ServerFlags {
  /** Finished jobs, too. */
  readonly all?: true;
  readonly json?: true;
}

const lossText = (loss: number | null): string => loss?.toFixed(4) ?? '–';

const rowOf = ({ id, user, priority, state, iteration, iterations, loss, heldoutLoss, submittedAt }: ServedJob): readonly string[] => [
  id,
  user,
  String(priority),
  state,
  `${iteration}/${iterations ?? '?'}`,
  lossText(loss),
  lossText(heldoutLoss),
  submittedAt,
];

const HEADER = ['job', 'user', 'priority', 'state', 'iterations', 'loss', 'held-out', 'submitted'];

const print = (jobs: readonly ServedJob[], { json, all }: PsFlags): void => {
  if (json === true) process.stdout.write(`${JSON.stringify(jobs)}\n`);
  else if (jobs.length === 0) process.stdout.write(all === true ? 'no jobs\n' : 'no unfinished jobs; --all lists the others\n');
  else process.stdout.write(`${formatTable([HEADER, ...jobs.map(rowOf)])}\n`);
};

/** `mlora ps`: the jobs of a server, latest first. */
export const psCommand = (flags: PsFlags): TE.TaskEither<Failure, void> =>
  withServer(flags, (client) =>
    pipe(
      client.list(flags.all === true ? 'all' : 'unfinished'),
      TE.bimap(clientFailure('mlora ps'), (jobs) => print(jobs, flags)),
    ),
  );
