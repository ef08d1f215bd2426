import * as E from 'fp-ts/lib/Either.js';
import { formatExecError } from '../../../exec/exec-error.ts';
import { trainExperiment } from '../../../exec/run/train-experiment.ts';
import { openDemo, planPart } from '../../bench/demo-run.ts';

/** Trains one job of the shipped demo twice for real: in the crowd through the pipeline, and alone on one device. */
export interface ConvergenceTask {
  readonly kind: 'convergence';
  readonly job: string;
  /** Devices of the pipeline that the crowd shares. */
  readonly devices: number;
}

/** Training losses of each iteration, in nats per target token. */
export interface ConvergenceResult {
  readonly crowd: readonly number[];
  readonly solo: readonly number[];
}

export const trainCrowdAndSolo = async ({ job, devices }: ConvergenceTask): Promise<ConvergenceResult> => {
  const demo = await openDemo();
  const lossesOf = async (names: readonly string[], deviceCount: number): Promise<readonly number[]> => {
    const trained = await trainExperiment(planPart(demo, names, deviceCount), {
      backend: 'wasm',
      outputFolder: null,
      ranks: 'tasks',
      onProgress: () => undefined,
    })();
    if (E.isLeft(trained)) throw new Error(formatExecError(trained.left));
    return trained.right.adapters.find(({ name }) => name === job)!.losses;
  };
  return { crowd: await lossesOf(demo.experiment.jobs.map(({ name }) => name), devices), solo: await lossesOf([job], 1) };
};
