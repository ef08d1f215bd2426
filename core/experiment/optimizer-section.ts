import * as z from 'zod';
import type { AdamW, LearningRateSchedule, Optimizer, Sgd } from '../job.ts';
import { fraction, nonNegativeNumber, positiveNumber, wholeNumber } from '../leaves.ts';
import { chosen, closed, isRecord, oneOf } from '../structure.ts';

const schedule = closed({
  type: oneOf(['constant', 'linear', 'cosine'] as const).default('constant'),
  warmup: wholeNumber(0).default(0),
}) satisfies z.ZodType<LearningRateSchedule>;

const stepSizes = {
  learningRate: positiveNumber.default(1e-3),
  learningRateRatio: positiveNumber.default(1),
  maxGradientNorm: positiveNumber.nullable().default(null),
  schedule: schedule.prefault({}),
};

const TYPES = ['adamw', 'sgd'] as const satisfies readonly Optimizer['type'][];

/** PyTorch's own defaults of AdamW. */
const adamW = closed({
  type: oneOf(TYPES).default('adamw'),
  ...stepSizes,
  beta1: fraction.default(0.9),
  beta2: fraction.default(0.999),
  epsilon: positiveNumber.default(1e-8),
  weightDecay: nonNegativeNumber.default(0.01),
}).transform((settings): AdamW => ({ ...settings, type: 'adamw' }));

/** PyTorch's own defaults of SGD. */
const sgd = closed({
  type: oneOf(TYPES),
  ...stepSizes,
  momentum: fraction.default(0),
  weightDecay: nonNegativeNumber.default(0),
}).transform((settings): Sgd => ({ ...settings, type: 'sgd' }));

/** `optimizer` of a job; its `type` decides which keys there are. */
export const optimizerSection: z.ZodType<Optimizer> = chosen<Optimizer>((value) =>
  isRecord(value) && value.type === 'sgd' ? sgd : adamW,
).prefault({});
