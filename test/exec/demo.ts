import { fileURLToPath } from 'node:url';
import type { Job } from '../../core/job.ts';
import type { Model } from '../../core/model/model.ts';
import { nanoseconds } from '../../core/units.ts';

const DEMO = new URL('../../experiments/demo/', import.meta.url);
/** Folder of the shipped model. */
export const MODEL_FOLDER = fileURLToPath(new URL('model', DEMO));

/** Shape of the shipped model, as its config.json gives it. */
export const demoModel = (): Model => ({
  name: 'demo',
  architecture: 'llama',
  hiddenSize: 192,
  intermediateSize: 512,
  layerCount: 4,
  headCount: 6,
  keyValueHeadCount: 2,
  headSize: 32,
  vocabularySize: 1024,
  maxPositions: 512,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10000,
  ropeScaling: { type: 'none' },
  attentionBias: false,
  tiedEmbeddings: false,
});

/** A job on one of the shipped data sets. */
export const demoJob = (name: 'sums' | 'dates' | 'opposites' | 'extract', changes: Partial<Job> = {}): Job => ({
  name,
  adapter: { type: 'lora', rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj', 'v_proj'] },
  data: {
    kind: 'files',
    train: fileURLToPath(new URL(`data/${name}.train.jsonl`, DEMO)),
    heldout: fileURLToPath(new URL(`data/${name}.heldout.jsonl`, DEMO)),
    split: 0,
    loss: 'completion',
    order: 'shuffled',
    format: 'template',
    prompt: '### Instruction:\n{{ instruction }}\n### Response:\n',
    completion: '{{ output }}',
    maximumLength: 128,
  },
  batchSize: 4,
  duration: { kind: 'iterations', iterations: 3 },
  optimizer: {
    type: 'adamw',
    learningRate: 1e-3,
    learningRateRatio: 1,
    maxGradientNorm: null,
    schedule: { type: 'constant', warmup: 0 },
    beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0,
  },
  evaluate: null,
  seed: 1,
  priority: 0,
  arrivalNs: nanoseconds(0),
  ...changes,
});
