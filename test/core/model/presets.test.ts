import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../../core/model/config.ts';
import { modelParameters } from '../../../core/model/model.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';

/**
 * Parameters of the published checkpoints, as their safetensors headers (shown on each model's hub page) count them.
 * Llama-2-70B's header also counts 80 × 64 rotary frequencies, which are no parameters.
 */
const PUBLISHED: readonly (readonly [name: string, parameters: number])[] = [
  ['TinyLlama-1.1B', 1_100_048_384],
  ['Llama-2-7B', 6_738_415_616],
  ['Llama-2-13B', 13_015_864_320],
  ['Llama-2-70B', 68_976_653_312 - 5120],
  ['Llama-3.1-8B', 8_030_261_248],
  ['Llama-3.1-70B', 70_553_706_496],
  ['Qwen2.5-32B', 32_763_876_352],
  ['SmolLM2-135M', 134_515_008],
];

describe('model presets', () => {
  it.each(PUBLISHED)('%s has the published number of parameters', (name, parameters) => {
    expect(modelParameters(MODEL_PRESETS.get(name)!)).toBe(parameters);
  });

  it('are all checked above', () => {
    expect([...MODEL_PRESETS.keys()]).toEqual(PUBLISHED.map(([name]) => name));
  });

  it('equal what the model’s whole config.json gives', () => {
    // HuggingFaceTB/SmolLM2-135M, as published.
    const published = {
      architectures: ['LlamaForCausalLM'],
      attention_bias: false,
      attention_dropout: 0.0,
      bos_token_id: 0,
      eos_token_id: 0,
      hidden_act: 'silu',
      hidden_size: 576,
      initializer_range: 0.041666666666666664,
      intermediate_size: 1536,
      is_llama_config: true,
      max_position_embeddings: 8192,
      model_type: 'llama',
      num_attention_heads: 9,
      num_hidden_layers: 30,
      num_key_value_heads: 3,
      pretraining_tp: 1,
      rms_norm_eps: 1e-5,
      rope_interleaved: false,
      rope_scaling: null,
      rope_theta: 100000,
      tie_word_embeddings: true,
      torch_dtype: 'bfloat16',
      transformers_version: '4.40.1',
      use_cache: true,
      vocab_size: 49152,
    };
    expect(parseModelConfig('SmolLM2-135M', published)).toEqual(E.right(MODEL_PRESETS.get('SmolLM2-135M')));
  });

  it('carry the settings that shapes do not show', () => {
    expect(MODEL_PRESETS.get('Llama-3.1-8B')).toMatchObject({
      ropeTheta: 500_000,
      rmsNormEpsilon: 1e-5,
      maxPositions: 131_072,
      ropeScaling: {
        type: 'llama3',
        factor: 8,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalMaxPositions: 8192,
      },
    });
    expect(MODEL_PRESETS.get('Qwen2.5-32B')).toMatchObject({
      architecture: 'qwen2',
      attentionBias: true,
      maxPositions: 131_072,
      headSize: 128,
    });
  });
});
