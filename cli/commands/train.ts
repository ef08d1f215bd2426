import { resolve } from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { ExecFailure } from '../../exec/exec-error.ts';
import type { Launch } from '../../exec/launch/environment.ts';
import { leadRanks } from '../../exec/launch/lead.ts';
import { trainingScript, type Layout } from '../../exec/launch/slurm-script.ts';
import { builtRankEntry } from '../../exec/run/start-crew.ts';
import { execution, type Failure } from '../failure.ts';
import { joinSettings, ownCommand, submit, type LaunchFlags, type SlurmFlags } from '../launch-flags.ts';
import { prepareFolder } from '../write-results.ts';
import { openTrainable, trainOn, type TrainFlags as RunFlags } from '../train-on.ts';
import { follow, launchOf } from './rank.ts';

export interface TrainFlags extends RunFlags, LaunchFlags, SlurmFlags {
  readonly launcher: 'auto' | 'local' | 'slurm';
}

/**
 * `mlora train`: trains on processes of this machine, as a job that it hands to Slurm, or, where a launcher has started it
 * several times, as one of the processes of a run. Of those, the one of rank 0 is the coordinator too.
 */
export const trainCommand = (path: string, flags: TrainFlags): TE.TaskEither<Failure, void> => {
  if (flags.launcher === 'slurm') return submitTraining(path, flags);
  if (flags.launcher === 'local') return trainOn(path, flags, { ranks: 'processes', size: null });
  return pipe(
    TE.fromEither(launchOf(process.env)),
    TE.chain((launch) => trainAs(launch, path, flags)),
  );
};

const trainAs = (launch: Launch, path: string, flags: TrainFlags): TE.TaskEither<Failure, void> => {
  if (launch.kind === 'alone') return trainOn(path, resuming(launch, flags), { ranks: 'processes', size: null });
  return launch.rank === 0 ? lead(launch, path, flags) : follow(launch, flags);
};

/** A scheduler's restart goes on from the checkpoints. */
const resuming = ({ isRestart }: Launch, flags: TrainFlags): TrainFlags => (isRestart ? { ...flags, resume: true } : flags);

type Together = Extract<Launch, { kind: 'together' }>;

const lead = (launch: Together, path: string, flags: TrainFlags): TE.TaskEither<Failure, void> =>
  TE.bracket(
    pipe(
      prepareFolder(flags.out),
      TE.chain(() => TE.tryCatch(() => leadRanks(launch, joinSettings(flags), builtRankEntry()), asFailure)),
    ),
    ({ muster }) => trainOn(path, resuming(launch, flags), { ranks: muster, size: launch.size }),
    ({ close }) => TE.fromTask(close),
  );

const asFailure = (error: unknown): Failure => {
  if (error instanceof ExecFailure) return execution(error.error);
  throw error;
};

const layoutOf = (counts: readonly number[]): Layout => {
  const tasks = counts.reduce((sum, count) => sum + count, 0);
  return { tasks, nodes: counts.length, tasksPerNode: counts.every((count) => count === counts[0]) ? counts[0]! : null };
};

const submitTraining = (path: string, flags: TrainFlags): TE.TaskEither<Failure, void> => {
  const out = resolve(flags.out);
  const folder = `${out}/slurm`;
  return pipe(
    openTrainable(path, flags),
    TE.chainFirst(() => prepareFolder(out)),
    TE.chain(({ experiment }) => {
      const layout = layoutOf(experiment.clusterDescription.machines.map(({ deviceCount }) => deviceCount));
      const command = [...ownCommand(), 'train', resolve(path), '--out', out, ...passedOn(flags)];
      return submit(`${folder}/train.sbatch`, trainingScript({ name: 'mlora', folder, command, arguments: flags.slurmArg }, layout));
    }),
    TE.map((job) => void process.stdout.write(`Slurm job ${job}; its output goes to ${folder}/${job}.out, results to ${out}\n`)),
  );
};

const passedOn = (flags: TrainFlags): string[] => [
  ...['--backend', flags.backend, '--join-timeout', String(flags.joinTimeout), '--line-timeout', String(flags.lineTimeout)],
  ...(flags.resume === undefined ? [] : ['--resume']),
  ...(flags.profile === undefined ? [] : ['--profile', resolve(flags.profile)]),
];
