import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { NS_PER_S } from '../../core/units.ts';
import type { SpeedCase } from './executor-case.ts';

const SCRIPT = fileURLToPath(new URL('../../../experiments/bench/peft-speed.py', import.meta.url));

/** A Python that has torch, transformers and peft. */
const PYTHON = process.env.MLORA_PYTHON ?? 'python3';

const requestOf = ({ model, rowsPerAdapter, rowTokens, rounds }: SpeedCase) => ({
  config: {
    hidden_size: model.hiddenSize,
    intermediate_size: model.intermediateSize,
    num_hidden_layers: model.layerCount,
    num_attention_heads: model.headCount,
    num_key_value_heads: model.keyValueHeadCount,
    vocab_size: model.vocabularySize,
    max_position_embeddings: model.maxPositions,
    tie_word_embeddings: model.tiedEmbeddings,
  },
  rows: rowsPerAdapter,
  tokens: rowTokens,
  rounds,
});

/** What PyTorch computes on: one thread of the processor, or CUDA in full float32 or with TF32. */
export type PeftDevice = 'cpu' | 'cuda' | 'cuda-tf32';

/** Nanoseconds PyTorch + PEFT needs for each case's pass over the whole model, or null where there is no PyTorch, or none for the device. */
export const peftPassNs = (cases: readonly SpeedCase[], device: PeftDevice = 'cpu'): number[] | null => {
  try {
    const answer = execFileSync(PYTHON, [SCRIPT, device], {
      input: JSON.stringify(cases.map(requestOf)),
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    return (JSON.parse(answer) as number[]).map((seconds) => seconds * NS_PER_S);
  } catch {
    return null;
  }
};
