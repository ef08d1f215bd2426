import * as E from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import { ExecFailure, type ExecError } from '../exec-error.ts';
import { checkModel } from './check-model.ts';
import { prepareOutput, type Output } from './output.ts';
import { runLegs, type FinishedRun } from './run-legs.ts';
import type { AdapterResult, TrainOptions, TrainResult } from './train-options.ts';

const orThrow = <A>(result: E.Either<ExecError, A>): A => {
  if (E.isLeft(result)) throw new ExecFailure(result.left);
  return result.right;
};

const resultsOf = ({ jobs }: TrainOptions, { records }: FinishedRun, output: Output | null): readonly AdapterResult[] =>
  jobs.map(({ job: { name }, order }, adapter) => {
    const { progress, losses, evaluations, heldoutAfter: after, failure } = records[adapter]!;
    const { heldoutBefore: before, state } = progress;
    const isTrained = state?.iteration === order.iterations;
    return {
      name,
      losses,
      evaluations,
      heldout: before === null || after === null ? null : { before, after },
      failure,
      weights: isTrained ? state.tensors : [],
      folder: isTrained ? (output?.adapterFolder(name) ?? null) : null,
    };
  });

const runAll = async (options: TrainOptions): Promise<TrainResult> => {
  orThrow(await checkModel(options.model, options.modelFolder)());
  const output = options.outputFolder === null ? null : orThrow(await prepareOutput(options.outputFolder));
  try {
    if (options.progress === undefined) await output?.removeCheckpoints();
    const finished = await runLegs(options, output);
    const { trace, backend, devices } = finished.outcome;
    return { trace, backend, devices, adapters: resultsOf(options, finished, output) };
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
