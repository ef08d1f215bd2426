import * as E from 'fp-ts/lib/Either.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../../core/model/config.ts';
import type { Model } from '../../../core/model/model.ts';

const SHAPE = {
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  vocab_size: 100,
};

const LLAMA = { ...SHAPE, architectures: ['LlamaForCausalLM'] };

const parse = (json: unknown): Model => {
  const model = parseModelConfig('m', json);
  if (E.isLeft(model)) throw new Error(JSON.stringify(model.left));
  return model.right;
};

const problems = (json: unknown): string[] => {
  const model = parseModelConfig('m', json);
  return E.isLeft(model) ? model.left.map(({ path, message }) => `${path}: ${message}`) : [];
};

describe('a config.json that says little', () => {
  it('gets the defaults of transformers for Llama', () => {
    expect(parse(LLAMA)).toEqual({
      name: 'm',
      architecture: 'llama',
      hiddenSize: 64,
      intermediateSize: 160,
      layerCount: 3,
      headCount: 4,
      keyValueHeadCount: 4,
      headSize: 16,
      vocabularySize: 100,
      maxPositions: 2048,
      rmsNormEpsilon: 1e-6,
      ropeTheta: 10_000,
      ropeScaling: { type: 'none' },
      attentionBias: false,
      tiedEmbeddings: false,
    });
  });

  it('gets the defaults of transformers for Mistral and Qwen2', () => {
    const mistral = parse({ ...SHAPE, num_attention_heads: 16, model_type: 'mistral' });
    expect(mistral).toMatchObject({ architecture: 'mistral', keyValueHeadCount: 8, maxPositions: 4096 });
    const qwen = parse({ ...SHAPE, num_attention_heads: 32, architectures: ['Qwen2ForCausalLM'] });
    expect(qwen).toMatchObject({
      architecture: 'qwen2',
      keyValueHeadCount: 32,
      maxPositions: 32_768,
      attentionBias: true,
    });
  });

  it('may write null for what it leaves to the default', () => {
    const nulls = {
      num_key_value_heads: null,
      head_dim: null,
      rope_scaling: null,
      rope_theta: null,
      rms_norm_eps: null,
    };
    expect(parse({ ...LLAMA, ...nulls })).toEqual(parse(LLAMA));
  });

  it('must give the sizes', () => {
    expect(problems({ architectures: ['LlamaForCausalLM'] }).map((line) => line.split(':')[0])).toEqual(
      Object.keys(SHAPE),
    );
  });
});

describe('heads', () => {
  it('may have a size of their own', () => {
    expect(parse({ ...LLAMA, head_dim: 32, num_key_value_heads: 2 })).toMatchObject({
      headSize: 32,
      keyValueHeadCount: 2,
    });
  });

  it('must divide evenly', () => {
    expect(problems({ ...LLAMA, num_key_value_heads: 3 })).toEqual([
      'num_key_value_heads: is 3; expected a divisor of num_attention_heads 4',
    ]);
    expect(problems({ ...LLAMA, num_attention_heads: 6 })).toEqual([
      'num_attention_heads: is 6; expected a divisor of hidden_size 64, or head_dim',
    ]);
    expect(problems({ ...LLAMA, head_dim: 7 })).toEqual([
      'head_dim: is 7; expected an even number, as rotary positions turn pairs',
    ]);
  });
});

describe('positions', () => {
  it('end at a sliding window, where attention would change', () => {
    const mistral = {
      ...SHAPE,
      num_key_value_heads: 4,
      architectures: ['MistralForCausalLM'],
      max_position_embeddings: 32_768,
    };
    expect(parse({ ...mistral, sliding_window: 1024 }).maxPositions).toBe(1024);
    expect(parse({ ...mistral, sliding_window: null }).maxPositions).toBe(32_768);
  });

  it('do not where Qwen2 has the window switched off', () => {
    const qwen = { ...SHAPE, num_key_value_heads: 4, architectures: ['Qwen2ForCausalLM'], sliding_window: 512 };
    expect(parse(qwen).maxPositions).toBe(32_768);
    expect(parse({ ...qwen, use_sliding_window: true }).maxPositions).toBe(512);
  });

  const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };
  const scaling = {
    type: 'llama3',
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalMaxPositions: 8192,
  };

  it('are scaled under the old and the new name of the type', () => {
    for (const key of ['type', 'rope_type']) {
      expect(parse({ ...LLAMA, rope_scaling: { [key]: 'linear', factor: 2 } }).ropeScaling).toEqual({
        type: 'linear',
        factor: 2,
      });
      expect(parse({ ...LLAMA, rope_scaling: { [key]: 'llama3', ...llama3 } }).ropeScaling).toEqual(scaling);
      expect(parse({ ...LLAMA, rope_scaling: { [key]: 'default' } }).ropeScaling).toEqual({ type: 'none' });
    }
  });

  it('may be described as transformers 5 does', () => {
    const model = parse({ ...LLAMA, rope_parameters: { rope_theta: 500_000, rope_type: 'llama3', ...llama3 } });
    expect(model).toMatchObject({ ropeTheta: 500_000, ropeScaling: scaling });
  });

  it('are refused with a scaling that is not known or not whole', () => {
    expect(problems({ ...LLAMA, rope_scaling: { type: 'yarn', factor: 4 } })).toEqual([
      'rope_scaling.type: is "yarn"; expected one of default, linear, llama3',
    ]);
    expect(problems({ ...LLAMA, rope_scaling: { rope_type: 'linear' } })).toEqual([
      'rope_scaling.factor: is missing; expected a number above 0',
    ]);
  });
});

describe('what is not supported', () => {
  it('is named: the architecture', () => {
    expect(problems({ architectures: ['GPT2LMHeadModel'], n_embd: 768 })).toEqual([
      'architectures: is "GPT2LMHeadModel"; supported are LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM',
    ]);
    expect(problems({})).toHaveLength(1);
    expect(problems('config')).toEqual([': is "config"; expected the object of a config.json']);
  });

  it('is named: quantisation, activation and biases, all at once', () => {
    const odd = {
      quantization_config: { quant_method: 'gptq' },
      hidden_act: 'gelu_new',
      attention_bias: true,
      mlp_bias: true,
    };
    expect(problems({ ...LLAMA, ...odd })).toEqual([
      'hidden_act: is "gelu_new"; expected one of silu, swish',
      'attention_bias: is true; expected false: a bias on all attention projections is not supported',
      'mlp_bias: is true; expected false: a bias in the feed-forward block is not supported',
      'quantization_config: is {"quant_method":"gptq"}; expected none: quantised checkpoints are not supported',
    ]);
  });
});

describe('any JSON', () => {
  const isSound = (model: Model): boolean =>
    [model.hiddenSize, model.headSize, model.layerCount, model.keyValueHeadCount, model.maxPositions].every(
      (value) => Number.isSafeInteger(value) && value > 0,
    );

  it('is a sound model or a list of problems, never an exception', () => {
    const keys = [
      ...Object.keys(LLAMA),
      'num_key_value_heads',
      'head_dim',
      'rope_scaling',
      'rope_parameters',
      'sliding_window',
    ];
    const broken = fc
      .dictionary(fc.constantFrom(...keys), fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.integer({ min: 1, max: 64 })))
      .map((change) => ({ ...LLAMA, ...change }));
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), broken), (json) => {
        const model = parseModelConfig('m', json);
        return E.isLeft(model) ? model.left.length > 0 : isSound(model.right);
      }),
      { numRuns: 500 },
    );
  });
});
