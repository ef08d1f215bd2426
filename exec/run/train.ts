import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import type { Problems } from '../../core/problem.ts';
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { checkModelTensors } from '../checkpoint/model-tensors.ts';
import { ExecFailure, type ExecError } from '../exec-error.ts';
import type { NamedArray } from '../stage.ts';
import { createAdapterWriter } from './adapter-writer.ts';
import { conduct, type Outcome } from './conduct.ts';
import type { Crew } from './crew.ts';
import { onInterruption } from './interruption.ts';
import { prepareOutput, type Output } from './output.ts';
import { startCrew } from './start-crew.ts';
import type { AdapterResult, TrainOptions, TrainResult } from './train-options.ts';

const orThrow = <A>(result: E.Either<ExecError, A>): A => {
  if (E.isLeft(result)) throw new ExecFailure(result.left);
  return result.right;
};

const badModel =
  (file: string) =>
  (problems: Problems): ExecError => ({ kind: 'badInput', files: [{ file, problems }] });

/** Everything wrong with the checkpoint at once; a rank would see its own layers only. */
const checkCheckpoint = async ({ model, modelFolder }: TrainOptions): Promise<void> => {
  const source = orThrow(E.mapLeft(badModel(modelFolder))(await openCheckpoint(modelFolder)));
  const problems = checkModelTensors(model, { first: 0, end: model.layerCount }, source);
  await source.close();
  if (isNonEmpty(problems)) throw new ExecFailure(badModel(modelFolder)(problems));
};

const resultsOf = (
  { jobs }: TrainOptions,
  { losses, heldout }: Outcome,
  trained: ReadonlyMap<number, readonly NamedArray[]>,
  output: Output | null,
): readonly AdapterResult[] =>
  jobs.map(({ job: { name } }, adapter) => {
    const [before, after] = [heldout.before[adapter], heldout.after[adapter]];
    return {
      name,
      losses: losses[adapter]!,
      heldout: before === undefined || after === undefined ? null : { before, after },
      weights: trained.get(adapter) ?? [],
      folder: output?.adapterFolder(name) ?? null,
    };
  });

const runWith = async (crew: Crew, options: TrainOptions, output: Output | null): Promise<TrainResult> => {
  const stopListening = onInterruption((error) => crew.fail(new ExecFailure(error)));
  const writer = createAdapterWriter(options, output, crew.fail);
  try {
    const outcome = await conduct(crew, options, writer.onTrained);
    const { trace, backend } = outcome;
    return { trace, backend, adapters: resultsOf(options, outcome, await writer.finish(), output) };
  } finally {
    await Promise.allSettled([crew.dismiss(), writer.finish()]);
    stopListening();
  }
};

const runAll = async (options: TrainOptions): Promise<TrainResult> => {
  await checkCheckpoint(options);
  const output = options.outputFolder === null ? null : orThrow(await prepareOutput(options.outputFolder));
  try {
    return await runWith(await startCrew(options), options, output);
  } catch (error) {
    await output?.withdraw();
    throw error;
  }
};

/**
 * Trains all jobs of a plan and writes each adapter as soon as it is trained. Input and output folder are checked
 * first; whatever ends the run early, no process and no socket is left behind, and finished adapters stay.
 */
export const train =
  (options: TrainOptions): TaskEither<ExecError, TrainResult> =>
  async () => {
    try {
      return E.right(await runAll(options));
    } catch (error) {
      if (error instanceof ExecFailure) return E.left(error.error);
      throw error;
    }
  };
