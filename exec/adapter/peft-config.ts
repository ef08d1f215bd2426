import * as E from 'fp-ts/lib/Either.js';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as z from 'zod';
import { type LoraAdapter } from '../../core/job.ts';
import { MODULE_NAMES } from '../../core/model/model.ts';
import { type Problems, problem, show } from '../../core/problem.ts';

/** Contents of `adapter_config.json` as PEFT 0.10 and later load it; fields left at PEFT's defaults are written out. */
export const formatPeftConfig = (adapter: LoraAdapter, baseModel: string): string => {
  const config = {
    alpha_pattern: {},
    auto_mapping: null,
    base_model_name_or_path: baseModel,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: adapter.alpha,
    lora_dropout: adapter.dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: adapter.rank,
    rank_pattern: {},
    revision: null,
    target_modules: adapter.targetModules,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: adapter.type === 'rslora',
  };
  return `${JSON.stringify(config, null, 2)}\n`;
};

/** What we can train; a config that asks for more would load as a different adapter, so it is refused by name. */
const schema = z.object({
  peft_type: z.literal('LORA'),
  r: z.int().positive(),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).lt(1).default(0),
  target_modules: z.array(z.enum(MODULE_NAMES)).min(1),
  bias: z.literal('none').default('none'),
  base_model_name_or_path: z.string().nullish(),
  use_rslora: z.boolean().default(false),
  use_dora: z.literal(false).default(false),
  fan_in_fan_out: z.literal(false).default(false),
  rank_pattern: z.strictObject({}).nullish(),
  alpha_pattern: z.strictObject({}).nullish(),
  layers_to_transform: z.null().optional(),
  modules_to_save: z.null().optional(),
});

/** The adapter that an `adapter_config.json` describes; problems carry the field as path. */
export const parsePeftConfig = (json: string): E.Either<Problems, LoraAdapter> => {
  const value = parseJson(json);
  if (value === undefined) return E.left([problem('', 'is not JSON')]);
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) =>
      problem(path.join('.'), `${message}; found ${show(at(value, path))}`),
    );
    return isNonEmpty(problems) ? E.left(problems) : E.left([problem('', 'is not an adapter configuration')]);
  }
  const {
    r,
    lora_alpha: alpha,
    lora_dropout: dropout,
    target_modules: targetModules,
    use_rslora: rsLora,
  } = parsed.data;
  return E.right({ type: rsLora ? 'rslora' : 'lora', rank: r, alpha, dropout, targetModules });
};

const parseJson = (json: string): unknown => {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return undefined;
  }
};

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[key], value);
