import * as z from 'zod';
import { positiveNumber, wholeNumber } from '../leaves.ts';
import { chosen, isRecord, oneOf } from '../structure.ts';
import type { RopeScaling } from './model.ts';

const unscaled = (): RopeScaling => ({ type: 'none' });

const none = z.looseObject({}).transform(unscaled);

const linear = z
  .looseObject({ factor: positiveNumber })
  .transform(({ factor }): RopeScaling => ({ type: 'linear', factor }));

const llama3 = z
  .looseObject({
    factor: positiveNumber,
    low_freq_factor: positiveNumber,
    high_freq_factor: positiveNumber,
    original_max_position_embeddings: wholeNumber(1),
  })
  .refine((config) => config.low_freq_factor < config.high_freq_factor, {
    error: 'expected low_freq_factor below high_freq_factor',
  })
  .transform((config): RopeScaling => ({
    type: 'llama3',
    factor: config.factor,
    lowFrequencyFactor: config.low_freq_factor,
    highFrequencyFactor: config.high_freq_factor,
    originalMaxPositions: config.original_max_position_embeddings,
  }));

const SUPPORTED: ReadonlyMap<unknown, z.ZodType<RopeScaling>> = new Map<unknown, z.ZodType<RopeScaling>>([
  ['default', none],
  ['linear', linear],
  ['llama3', llama3],
]);

const unsupported = (key: 'rope_type' | 'type') =>
  z.looseObject({ [key]: oneOf(['default', 'linear', 'llama3'] as const) }).transform(unscaled);

/**
 * The `rope_scaling` of a config.json; the type is called `rope_type`, before transformers 4.43 `type`. Linear divides
 * all positions, llama3 the low frequencies only.
 */
export const ropeScaling: z.ZodType<RopeScaling> = chosen((value) => {
  if (!isRecord(value)) return none;
  const key = value.rope_type === undefined ? 'type' : 'rope_type';
  return SUPPORTED.get(value[key] ?? 'default') ?? unsupported(key);
});
