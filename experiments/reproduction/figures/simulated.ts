import { readConstants } from '../constants.ts';
import { reading, valueOf, type Reading } from '../figure.ts';
import { TASK_TOKENS } from '../paper.ts';
import { taskOf, type PaperRun } from '../paper-run.ts';
import type { Steady } from '../tasks/simulate.ts';

const SECONDS_PER_HOUR = 3600;
const TASK_STEPS = TASK_TOKENS / (8 * 512);

/** A number of a simulated run, or that it does not fit. */
export const simulated = (run: PaperRun, read: (steady: Steady) => number): Reading =>
  reading<'simulate'>(taskOf(run, readConstants()), (result) => (result.kind === 'ran' ? valueOf(read(result)) : result));

export const throughput = (run: PaperRun): Reading => simulated(run, ({ tokensPerSecond }) => tokensPerSecond);

/** Hours of one task, averaged over those that run at the same time, as the paper counts them. */
export const completionHours = (run: PaperRun): Reading =>
  simulated(run, (steady) => (run.gpus === 1 ? TASK_STEPS * stepOf(steady) : TASK_TOKENS / steady.tokensPerSecond) / SECONDS_PER_HOUR);

/** On one GPU the paper's training time is launches and kernels one after the other (Fig. 15). */
export const stepOf = ({ computeSeconds, launchSeconds }: Steady): number => computeSeconds + launchSeconds;
