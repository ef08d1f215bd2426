import type { PaperConstants } from '../../reproduction/constants.ts';
import { taskOf, type PaperRun } from '../../reproduction/paper-run.ts';
import { taskKey } from '../../reproduction/task.ts';
import { simulateTask, type SimulateResult } from '../../reproduction/tasks/simulate.ts';

/** `fit`: whether a run fits in memory. */
export type PipelineQuantity = 'tokensPerSecond' | 'fit';
export const FITS = 1;
export const DOES_NOT_FIT = 2;

/** 0 tokens a second where a run does not fit. */
export type PipelinePrediction = Readonly<Record<PipelineQuantity, number>>;

/** Plans and simulates runs of the paper under some constants; equal runs once. */
export const createPredictor = (): ((run: PaperRun, constants: PaperConstants) => PipelinePrediction) => {
  const known = new Map<string, SimulateResult>();
  return (run, constants) => {
    const task = taskOf(run, constants);
    const key = taskKey(task);
    const result = known.get(key) ?? simulateTask(task);
    known.set(key, result);
    return result.kind === 'ran' ? { tokensPerSecond: result.tokensPerSecond, fit: FITS } : { tokensPerSecond: 0, fit: DOES_NOT_FIT };
  };
};
