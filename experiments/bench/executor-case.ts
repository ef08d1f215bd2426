import * as E from 'fp-ts/lib/Either.js';
import type { LoraAdapter } from '../../core/job.ts';
import type { Model } from '../../core/model/model.ts';
import { totalFlops } from '../../core/work/kernel.ts';
import type { StageContent, WorkSetting } from '../../core/work/setting.ts';
import { backwardWork, forwardWork } from '../../core/work/stage.ts';
import { sizeOfRows } from '../../core/workload.ts';
import type { Backend } from '../../exec/backend/backend.ts';
import { onesLikeHidden } from '../../exec/backend/measure.ts';
import type { TensorSource } from '../../exec/checkpoint/checkpoint.ts';
import { type LayerRange, stageTensors } from '../../exec/checkpoint/model-tensors.ts';
import { createStage } from '../../exec/model/create-stage.ts';
import type { PackedBatch } from '../../exec/packed-batch.ts';
import type { AdapterSetup, Stage } from '../../exec/stage.ts';

const ADAPTER: LoraAdapter = {
  type: 'lora',
  rank: 8,
  alpha: 16,
  dropout: 0,
  targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
};

/** One measured case: layers of a model with the rows of each adapter. */
export interface SpeedCase {
  readonly name: string;
  readonly model: Model;
  readonly range: LayerRange;
  readonly adapters: number;
  readonly rowsPerAdapter: number;
  readonly rowTokens: number;
  readonly rounds: number;
}

/** All layers of a model. */
export const whole = (model: Model): LayerRange => ({ first: 0, end: model.layerCount });

/** FLOP of forward and backward of a case's microbatch, as `core/work` counts them. */
export const passFlops = ({ model, range, adapters, rowsPerAdapter, rowTokens }: SpeedCase): number => {
  const setting: WorkSetting = {
    model,
    adapters: Array.from({ length: adapters }, () => ADAPTER),
    elementBytes: 4,
    attention: 'scores',
    elementwise: 'eager',
  };
  const content: StageContent = {
    layerCount: range.end - range.first,
    embedding: range.first === 0,
    head: range.end === model.layerCount,
  };
  const size = sizeOfRows(Array.from({ length: rowsPerAdapter }, () => rowTokens));
  const shape = { parts: Array.from({ length: adapters }, (_, adapter) => ({ adapter, ...size })) };
  return totalFlops(forwardWork(setting, content, shape)) + totalFlops(backwardWork(setting, content, shape));
};

/** A case's stage with its adapters loaded. */
export interface OpenCase {
  readonly stage: Stage;
  readonly tokens: number;
  /** Forward and backward of one microbatch. */
  readonly pass: (microbatch: number) => Promise<void>;
}

/** Opens a case with random weights, on which speed does not depend, and rows whose every position carries a loss. */
export const openCase = async (
  backend: Backend,
  { model, range, adapters, rowsPerAdapter, rowTokens }: SpeedCase,
): Promise<OpenCase> => {
  const stage = await createStage({
    model,
    source: randomSource(model, range),
    backend,
    firstLayer: range.first,
    endLayer: range.end,
  });
  if (E.isLeft(stage)) throw new Error(stage.left.map(({ path, message }) => `${path}: ${message}`).join('; '));
  for (let index = 0; index < adapters; index++) stage.right.load(setupOf(index));
  const batch = randomBatch(model, { adapters, rowsPerAdapter, rowTokens });
  const tokens = adapters * rowsPerAdapter * rowTokens;
  return {
    stage: stage.right,
    tokens,
    pass: (microbatch) => runPass(stage.right, { ...batch, microbatch }, { model, range, tokens }),
  };
};

const runPass = async (
  stage: Stage,
  batch: PackedBatch,
  { model, range, tokens }: { model: Model; range: LayerRange; tokens: number },
): Promise<void> => {
  const hidden = () => onesLikeHidden(tokens, model.hiddenSize);
  const result = stage.forward(batch, range.first === 0 ? null : hidden(), { keep: true });
  if (result.kind === 'loss') await result.losses;
  else result.hidden.dispose();
  stage.backward(batch.microbatch, result.kind === 'loss' ? null : hidden())?.dispose();
};

const setupOf = (index: number): AdapterSetup => ({
  index,
  name: `adapter-${index}`,
  adapter: ADAPTER,
  optimizer: {
    type: 'adamw',
    learningRate: 1e-3,
    learningRateRatio: 1,
    maxGradientNorm: null,
    schedule: { type: 'constant', warmup: 0 },
    beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0,
  },
  iterations: 1000,
  seed: index,
});

const randomSource = (model: Model, range: LayerRange): TensorSource => {
  const shapes = new Map(stageTensors(model, range));
  return {
    names: [...shapes.keys()],
    shape: (name) => shapes.get(name),
    read: (name) => {
      const shape = shapes.get(name)!;
      const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
      const filled =
        shape.length === 1 ? values.fill(1) : values.map((_, index) => Math.sin(index) / Math.sqrt(shape[1]!));
      return Promise.resolve(E.right(filled));
    },
  };
};

const randomBatch = (
  model: Model,
  { adapters, rowsPerAdapter, rowTokens }: Pick<SpeedCase, 'adapters' | 'rowsPerAdapter' | 'rowTokens'>,
): PackedBatch => {
  const tokens = Int32Array.from({ length: rowTokens }, (_, place) => (place * 37) % model.vocabularySize);
  const rows = Array.from({ length: rowsPerAdapter }, () => ({ tokens, targets: tokens }));
  const parts = Array.from({ length: adapters }, (_, adapter) => ({
    adapter,
    rows,
    lossScale: 1 / (rowsPerAdapter * rowTokens),
  }));
  return { microbatch: 0, parts };
};
