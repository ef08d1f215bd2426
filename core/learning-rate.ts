import type { LearningRateSchedule, StepSizes } from './job.ts';

/**
 * Learning rate of optimizer step `step` (from 0) of a job of `steps` steps, as transformers'
 * `get_constant/linear/cosine_schedule_with_warmup` have it: the first step of a warm-up has rate 0.
 */
export const learningRateAt = ({ learningRate, schedule }: StepSizes, step: number, steps: number): number =>
  learningRate * factorAt(schedule, step, steps);

const factorAt = ({ type, warmup }: LearningRateSchedule, step: number, steps: number): number =>
  step < warmup ? step / warmup : FACTORS[type](Math.min((step - warmup) / Math.max(1, steps - warmup), 1));

/** Factors by the part of the way from the end of the warm-up to the end of the job. */
const FACTORS: Readonly<Record<LearningRateSchedule['type'], (progress: number) => number>> = {
  constant: () => 1,
  linear: (progress) => 1 - progress,
  cosine: (progress) => (1 + Math.cos(Math.PI * progress)) / 2,
};
