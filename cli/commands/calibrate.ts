import { basename, dirname } from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { problem } from '../../core/problem.ts';
import { formatTable } from '../../core/text-table.ts';
import type { BackendName } from '../../exec/backend/backend.ts';
import { measureCopies } from '../../exec/backend/measure.ts';
import { openBackend } from '../../exec/backend/open-backend.ts';
import { changeExperiment } from '../../exec/run/change-experiment.ts';
import type { TrainJob } from '../../exec/run/train-job.ts';
import { openExperiment, type OpenExperiment } from '../../exec/run/open-experiment.ts';
import { trainExperiment } from '../../exec/run/train-experiment.ts';
import { checkTrainable } from '../../exec/run/trainable-schedule.ts';
import { calibrate, type Calibration } from '../../sim/calibrate.ts';
import type { MeasuredRun } from '../../sim/measured-ops.ts';
import { planExperiment } from '../../sim/plan-experiment.ts';
import { formatProfile } from '../../sim/profile-file.ts';
import { badFiles, badInput, doesNotFit, execution, type Failure } from '../failure.ts';
import { prepareFolder, writeResults } from '../write-results.ts';

export interface CalibrateFlags {
  readonly out: string;
  readonly iterations: number;
  readonly backend: BackendName | 'auto';
}

/** `mlora calibrate`: measures short runs of an experiment uncut and cut into small microbatches, by turns; fits a profile. */
export const calibrateCommand = (path: string, flags: CalibrateFlags): TE.TaskEither<Failure, void> =>
  pipe(
    prepareFolder(dirname(flags.out)),
    TE.chain(() => pipe(openExperiment(path), TE.mapLeft(badFiles))),
    TE.chain((open) => TE.traverseSeqArray((run: OpenExperiment) => measure(run, path, flags.backend))(configurations(open, flags))),
    TE.map((runs) => calibrate(runs, `${runs[0]!.model.name} on ${runs[0]!.trace.devices.length} devices`)),
    TE.chainFirst(({ profile }) => writeResults(dirname(flags.out), { [basename(flags.out)]: formatProfile(profile) })),
    TE.bindTo('calibration'),
    TE.bind('copies', () => copiesOf(flags.backend)),
    TE.map(({ calibration, copies }) => void process.stdout.write(`${formatCalibration(calibration)}\n${copies}\n\nthe profile is in ${flags.out}\n`)),
  );

/** Measured copies between host and device, as a line. */
const copiesOf = (name: CalibrateFlags['backend']): TE.TaskEither<Failure, string> =>
  pipe(
    () => openBackend(name),
    TE.mapLeft((reasons): Failure => execution({ kind: 'backendUnavailable', backend: name, reasons })),
    TE.chainTaskK((backend) => async () => {
      const { toDevice, fromDevice } = await measureCopies(backend);
      backend.dispose();
      return `copies of 16 MiB, ${backend.name} on ${backend.device.name}: ${gigabytes(toDevice)} to the device, ${gigabytes(fromDevice)} back`;
    }),
  );

const gigabytes = (bytesPerSecond: number): string => `${(bytesPerSecond / 1e9).toFixed(1)} GB/s`;

/** Each configuration runs that often, by turns: what other processes add to an op in one run, they do not add in all. */
const ROUNDS = 3;

/** Most pieces that a mini-batch is cut into. */
const MOST_MICROBATCHES = 8;

/** The largest ops and small ones: constants per call and constants per token need both to be told apart. */
const configurations = (open: OpenExperiment, { iterations }: CalibrateFlags): OpenExperiment[] => {
  const { schedule, jobs } = open.experiment;
  const smallestBatch = Math.min(...jobs.map(({ batchSize }) => batchSize));
  const cuts = [...new Set([1, Math.min(smallestBatch, MOST_MICROBATCHES)])];
  return Array.from({ length: ROUNDS }, () => cuts).flat().map((microbatches) =>
    changeExperiment(open, {
      ...open.experiment,
      schedule: { ...schedule, microbatches },
      jobs: jobs.map((job) => ({ ...job, duration: { kind: 'iterations', iterations }, evaluate: null })),
    }),
  );
};

const measure = ({ experiment, trainJobs, files }: OpenExperiment, path: string, backend: CalibrateFlags['backend']): TE.TaskEither<Failure, MeasuredRun> => {
  if (experiment.modelSource.kind === 'preset' || trainJobs === null) {
    return TE.left(badInput(path, [problem('', 'calibration needs a model folder and rows in files for every job')]));
  }
  const [untrainable, ...others] = checkTrainable(experiment.schedule);
  if (untrainable !== undefined) return TE.left(badInput(path, [untrainable, ...others]));
  const modelFolder = experiment.modelSource.path;
  const { model, precision, jobs } = experiment;
  return pipe(
    TE.fromEither(planExperiment(experiment, { files })),
    TE.mapLeft(doesNotFit),
    TE.chain(({ plan, cost }) =>
      pipe(
        trainExperiment({ experiment, modelFolder, trainJobs: trainJobs.map(withoutHeldout), plan, cost }, { ...SETTINGS, backend }),
        TE.mapLeft(execution),
      ),
    ),
    TE.map(({ trace }) => ({ trace, model, precision, adapters: jobs.map(({ adapter }) => adapter) })),
  );
};

/** Evaluation is not in the trace. */
const withoutHeldout = (trainJob: TrainJob): TrainJob => ({ ...trainJob, rows: { ...trainJob.rows, heldout: null } });

const SETTINGS = { outputFolder: null, ranks: 'processes', onProgress: () => undefined } as const;

const formatCalibration = ({ profile, rows, constants, medianError, totalError }: Calibration): string =>
  [
    formatTable([
      ['per', 'nanoseconds', ''],
      ...Object.entries(profile.nsPer).map(([feature, { value, origin }]) => [feature, value.toPrecision(4), origin]),
    ]),
    '',
    `${constants} constants above 0, fitted on ${rows} ops of different work`,
    `median error of an op ${percent(medianError)}, of all ops together ${percent(totalError)}`,
  ].join('\n');

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
