import * as E from 'fp-ts/lib/Either.js';
import type { Experiment } from '../../../core/experiment/experiment.ts';
import type { ExperimentContext } from '../../../core/experiment/model-section.ts';
import { resolveExperiment } from '../../../core/experiment/read.ts';
import { problem } from '../../../core/problem.ts';

/** A small model in the folder ./tiny; no other folder exists. */
export const context: ExperimentContext = {
  readModelConfig: (folder) =>
    folder === './tiny'
      ? E.right({
          architectures: ['LlamaForCausalLM'],
          hidden_size: 64,
          intermediate_size: 160,
          num_hidden_layers: 4,
          num_attention_heads: 4,
          num_key_value_heads: 2,
          vocab_size: 100,
          max_position_embeddings: 256,
        })
      : E.left([problem('', `${folder} has no config.json`)]),
};

export const job = {
  name: 'a',
  adapter: { rank: 4 },
  data: { lengths: { type: 'fixed', length: 32 } },
};

/** The least that an experiment file has to say. */
export const minimal = { name: 'test', model: './tiny', cluster: '2xcpu', jobs: [job] };

export const read = (file: unknown): Experiment => {
  const experiment = resolveExperiment(file, context);
  if (E.isLeft(experiment)) throw new Error(JSON.stringify(experiment.left, null, 1));
  return experiment.right;
};

/** Every problem of a file as `path: message`. */
export const problemsOf = (file: unknown): string[] => {
  const experiment = resolveExperiment(file, context);
  return E.isLeft(experiment) ? experiment.left.map(({ path, message }) => `${path}: ${message}`) : [];
};
