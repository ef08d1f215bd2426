import * as E from 'fp-ts/lib/Either.js';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as z from 'zod';
import { type Adapter, LARGEST_PROJECTION_SEED, type LoraAdapter, type VeraAdapter } from '../../core/job.ts';
import { MODULE_NAMES } from '../../core/model/model.ts';
import { type Problems, problem, show } from '../../core/problem.ts';

/** Contents of `adapter_config.json` as PEFT 0.10 (VeRA: 0.12) and later load it; fields at PEFT's defaults are written out. */
export const formatPeftConfig = (adapter: Adapter, baseModel: string): string => {
  const config = {
    auto_mapping: null,
    base_model_name_or_path: baseModel,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    layers_pattern: null,
    layers_to_transform: null,
    modules_to_save: null,
    r: adapter.rank,
    revision: null,
    target_modules: adapter.targetModules,
    task_type: 'CAUSAL_LM',
    ...(adapter.type === 'vera' ? veraFields(adapter) : loraFields(adapter)),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
};

const loraFields = (adapter: LoraAdapter) => ({
  alpha_pattern: {},
  init_lora_weights: true,
  lora_alpha: adapter.alpha,
  lora_dropout: adapter.dropout,
  peft_type: 'LORA',
  rank_pattern: {},
  use_dora: adapter.type === 'dora',
  use_rslora: adapter.type === 'rslora',
});

/** PEFT draws A and B again from the key, so the file holds the trained vectors only. */
const veraFields = (adapter: VeraAdapter) => ({
  d_initial: adapter.initialScale,
  init_weights: true,
  peft_type: 'VERA',
  projection_prng_key: adapter.projectionSeed,
  save_projection: false,
  vera_dropout: adapter.dropout,
});

const dropout = z.number().min(0).lt(1).default(0);

/** What we can train; a config that asks for more would load as a different adapter, so it is refused by name. */
const basics = {
  r: z.int().positive(),
  target_modules: z.array(z.enum(MODULE_NAMES)).min(1),
  bias: z.literal('none').default('none'),
  base_model_name_or_path: z.string().nullish(),
  fan_in_fan_out: z.literal(false).default(false),
  layers_to_transform: z.null().optional(),
  modules_to_save: z.null().optional(),
};

const lora = z
  .object({
    ...basics,
    peft_type: z.literal('LORA'),
    lora_alpha: z.number().positive(),
    lora_dropout: dropout,
    use_rslora: z.boolean().default(false),
    use_dora: z.boolean().default(false),
    rank_pattern: z.strictObject({}).nullish(),
    alpha_pattern: z.strictObject({}).nullish(),
  })
  .refine(({ use_rslora: rsLora, use_dora: dora }) => !(rsLora && dora), {
    path: ['use_dora'],
    error: 'expected false beside use_rslora',
  })
  .transform(
    (config): Adapter => ({
      type: config.use_dora ? 'dora' : config.use_rslora ? 'rslora' : 'lora',
      rank: config.r,
      alpha: config.lora_alpha,
      dropout: config.lora_dropout,
      targetModules: config.target_modules,
    }),
  );

const vera = z
  .object({
    ...basics,
    peft_type: z.literal('VERA'),
    vera_dropout: dropout,
    projection_prng_key: z.int().min(0).max(LARGEST_PROJECTION_SEED),
    d_initial: z.number().default(0.1),
  })
  .transform(
    (config): Adapter => ({
      type: 'vera',
      rank: config.r,
      dropout: config.vera_dropout,
      targetModules: config.target_modules,
      projectionSeed: config.projection_prng_key,
      initialScale: config.d_initial,
    }),
  );

/** The adapter that an `adapter_config.json` describes; problems carry the field as path. */
export const parsePeftConfig = (json: string): E.Either<Problems, Adapter> => {
  const value = parseJson(json);
  if (value === undefined) return E.left([problem('', 'is not JSON')]);
  const parsed = (at(value, ['peft_type']) === 'VERA' ? vera : lora).safeParse(value);
  if (parsed.success) return E.right(parsed.data);
  const problems = parsed.error.issues.map(({ path, message }) =>
    problem(path.join('.'), `${message}; found ${show(at(value, path))}`),
  );
  return isNonEmpty(problems) ? E.left(problems) : E.left([problem('', 'is not an adapter configuration')]);
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
