import * as E from 'fp-ts/lib/Either.js';
import { parseModelConfig } from './config.ts';
import type { Model } from './model.ts';

const LLAMA_2 = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 32_000,
  max_position_embeddings: 4096,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  tie_word_embeddings: false,
};

const LLAMA_3_1 = {
  architectures: ['LlamaForCausalLM'],
  vocab_size: 128_256,
  max_position_embeddings: 131_072,
  rms_norm_eps: 1e-5,
  rope_theta: 500_000,
  rope_scaling: {
    rope_type: 'llama3',
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  },
  tie_word_embeddings: false,
};

/** The lines of each model's published config.json (repository in the comment) that decide its shape. */
const CONFIGS = {
  // TinyLlama/TinyLlama-1.1B-intermediate-step-1431k-3T
  'TinyLlama-1.1B': {
    ...LLAMA_2,
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 22,
    num_attention_heads: 32,
    num_key_value_heads: 4,
    max_position_embeddings: 2048,
  },
  // meta-llama/Llama-2-7b-hf
  'Llama-2-7B': {
    ...LLAMA_2,
    hidden_size: 4096,
    intermediate_size: 11_008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
  },
  // meta-llama/Llama-2-13b-hf
  'Llama-2-13B': {
    ...LLAMA_2,
    hidden_size: 5120,
    intermediate_size: 13_824,
    num_hidden_layers: 40,
    num_attention_heads: 40,
    num_key_value_heads: 40,
  },
  // meta-llama/Llama-2-70b-hf
  'Llama-2-70B': {
    ...LLAMA_2,
    hidden_size: 8192,
    intermediate_size: 28_672,
    num_hidden_layers: 80,
    num_attention_heads: 64,
    num_key_value_heads: 8,
  },
  // meta-llama/Llama-3.1-8B
  'Llama-3.1-8B': {
    ...LLAMA_3_1,
    hidden_size: 4096,
    intermediate_size: 14_336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
  },
  // meta-llama/Llama-3.1-70B
  'Llama-3.1-70B': {
    ...LLAMA_3_1,
    hidden_size: 8192,
    intermediate_size: 28_672,
    num_hidden_layers: 80,
    num_attention_heads: 64,
    num_key_value_heads: 8,
  },
  // Qwen/Qwen2.5-32B
  'Qwen2.5-32B': {
    architectures: ['Qwen2ForCausalLM'],
    hidden_size: 5120,
    intermediate_size: 27_648,
    num_hidden_layers: 64,
    num_attention_heads: 40,
    num_key_value_heads: 8,
    vocab_size: 152_064,
    max_position_embeddings: 131_072,
    rms_norm_eps: 1e-5,
    rope_theta: 1_000_000,
    sliding_window: 131_072,
    use_sliding_window: false,
    tie_word_embeddings: false,
  },
  // HuggingFaceTB/SmolLM2-135M
  'SmolLM2-135M': {
    architectures: ['LlamaForCausalLM'],
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    vocab_size: 49_152,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    rope_theta: 100_000,
    rope_scaling: null,
    tie_word_embeddings: true,
  },
} as const;

const parsePreset = (name: string, config: unknown): readonly [string, Model] => {
  const model = parseModelConfig(name, config);
  if (E.isLeft(model)) throw new Error(`preset ${name}: ${JSON.stringify(model.left)}`);
  return [name, model.right];
};

/** Models known by name: their shapes, read by the same parser as a checkpoint's own config.json. */
export const MODEL_PRESETS: ReadonlyMap<string, Model> = new Map(
  Object.entries(CONFIGS).map(([name, config]) => parsePreset(name, config)),
);
