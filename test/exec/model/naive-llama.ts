import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import { adapterScale } from '../../../core/job.ts';
import { linearShape, type Model, type ModuleName } from '../../../core/model/model.ts';
import { scoped } from '../../../exec/backend/scope.ts';
import { dropoutMask } from '../../../exec/adapter/dropout.ts';
import { type TrainedMatrix, peftName } from '../../../exec/adapter/parameter-layout.ts';
import { drawVeraProjection } from '../../../exec/adapter/vera-projection.ts';
import { modulePath } from '../../../exec/checkpoint/model-tensors.ts';
import { NO_TARGET, type Row } from '../../../exec/packed-batch.ts';
import type { AdapterSetup, NamedArray } from '../../../exec/stage.ts';
import type { randomWeights } from './tiny-models.ts';

/**
 * The slow obvious reference: one adapter, one training row at a time, head by head, written as the formulas stand, with
 * gradients from TensorFlow.js's own differentiation.
 */
export interface NaiveCase {
  readonly model: Model;
  readonly weights: ReturnType<typeof randomWeights>;
  readonly setup: AdapterSetup;
  readonly adapter: readonly NamedArray[];
  readonly rows: readonly Row[];
  readonly lossScale: number;
  /** Optimizer step whose dropout masks apply; null turns dropout off. */
  readonly dropoutStep: number | null;
}

export interface NaiveResult {
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

export const naiveLossAndGradients = (naive: NaiveCase): NaiveResult => {
  const names = naive.adapter.map(({ name }) => name);
  const matrices = naive.adapter.map(({ shape, values }) => tf.tensor(values, [...shape]));
  const loss = (...tensors: tf.Tensor[]): tf.Scalar => {
    const lora = new Map(names.map((name, index) => [name, tensors[index]!]));
    const rows = naive.rows.map((row, index) => rowLoss(naive, lora, row, index));
    return tf.mul(tf.addN(rows), naive.lossScale);
  };
  return scoped(() => {
    const value = loss(...matrices).dataSync()[0]!;
    const gradients = tf
      .grads(loss)(matrices)
      .map((gradient) => gradient.dataSync() as Float32Array);
    return { loss: value, gradients: new Map(names.map((name, index) => [name, gradients[index]!])) };
  });
};

const frozen = ({ weights }: NaiveCase, name: string): tf.Tensor => {
  const { shape, values } = weights.get(name)!;
  return tf.tensor(values, [...shape]);
};

const rowLoss = (naive: NaiveCase, lora: ReadonlyMap<string, tf.Tensor>, row: Row, rowIndex: number): tf.Scalar => {
  const { model } = naive;
  let x = tf.gather(frozen(naive, 'model.embed_tokens.weight'), tf.tensor1d(row.tokens, 'int32'));
  for (let layer = 0; layer < model.layerCount; layer++) {
    const linear = (module: ModuleName, input: tf.Tensor): tf.Tensor =>
      adaptedLinear(naive, lora, { layer, module, rowIndex }, input);
    const normed = rmsNorm(x, frozen(naive, `model.layers.${layer}.input_layernorm.weight`), model.rmsNormEpsilon);
    const attended = attention(model, linear('q_proj', normed), linear('k_proj', normed), linear('v_proj', normed));
    x = tf.add(x, linear('o_proj', attended));
    const again = rmsNorm(
      x,
      frozen(naive, `model.layers.${layer}.post_attention_layernorm.weight`),
      model.rmsNormEpsilon,
    );
    const gate = linear('gate_proj', again);
    x = tf.add(x, linear('down_proj', tf.mul(tf.mul(gate, tf.sigmoid(gate)), linear('up_proj', again))));
  }
  const normed = rmsNorm(x, frozen(naive, 'model.norm.weight'), model.rmsNormEpsilon);
  const head = frozen(naive, model.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight');
  const logProbabilities = tf.logSoftmax(tf.matMul(normed, head, false, true));
  const chosen = tf.oneHot(
    tf.tensor1d(
      row.targets.map((target) => Math.max(target, 0)),
      'int32',
    ),
    model.vocabularySize,
  );
  const counted = tf.tensor2d(
    Float32Array.from(row.targets, (target) => (target === NO_TARGET ? 0 : 1)),
    [row.targets.length, 1],
  );
  return tf.neg(tf.sum(tf.mul(tf.mul(logProbabilities, chosen), counted)));
};

interface Place {
  readonly layer: number;
  readonly module: ModuleName;
  readonly rowIndex: number;
}

const adaptedLinear = (
  naive: NaiveCase,
  lora: ReadonlyMap<string, tf.Tensor>,
  place: Place,
  x: tf.Tensor,
): tf.Tensor => {
  const { layer, module, rowIndex } = place;
  const { adapter, seed } = naive.setup;
  const path = modulePath(layer, module);
  let output = tf.matMul(x, frozen(naive, `${path}.weight`), false, true);
  if (naive.weights.has(`${path}.bias`)) output = tf.add(output, frozen(naive, `${path}.bias`));
  if (!adapter.targetModules.includes(module)) return output;
  const [tokens, width] = x.shape as [number, number];
  let input = x;
  if (naive.dropoutStep !== null && adapter.dropout > 0) {
    const key = { seed, step: naive.dropoutStep, layer, module };
    input = tf.mul(
      x,
      tf.tensor2d(dropoutMask(key, { lengths: [tokens], firstRow: rowIndex }, width, adapter.dropout), [tokens, width]),
    );
  }
  const trained = (matrix: TrainedMatrix): tf.Tensor => lora.get(peftName(layer, module, matrix))!;
  const linear = (matrix: tf.Tensor): tf.Tensor => tf.matMul(input, matrix, false, true);
  if (adapter.type === 'vera') {
    const { A, B } = projections(naive, module);
    const inner = tf.mul(linear(A), trained('d'));
    return tf.add(output, tf.mul(tf.matMul(inner, B, false, true), trained('b')));
  }
  const update = tf.mul(tf.matMul(trained('B'), trained('A')), adapterScale(adapter));
  if (adapter.type !== 'dora') return tf.add(output, linear(update));
  const weight = frozen(naive, `${path}.weight`);
  const direction = tf.add(weight, update);
  const norm = detached(tf.norm(direction, 2, 1));
  const ratio = tf.div(trained('magnitude'), norm);
  return tf.add(output, tf.sub(tf.mul(linear(direction), ratio), linear(weight)));
};

/** The value without its derivative. */
const detached = (values: tf.Tensor): tf.Tensor => tf.tensor(values.dataSync(), values.shape);

/** VeRA's shared matrices cut to the size of a module. */
const projections = ({ model, setup: { adapter } }: NaiveCase, module: ModuleName) => {
  if (adapter.type !== 'vera') throw new Error('only VeRA projects');
  const { A, B, inputSize, outputSize } = drawVeraProjection(model, adapter);
  const shape = linearShape(model, module);
  return {
    A: tf.slice(tf.tensor2d(A, [adapter.rank, inputSize]), [0, 0], [adapter.rank, shape.inputSize]),
    B: tf.slice(tf.tensor2d(B, [outputSize, adapter.rank]), [0, 0], [shape.outputSize, adapter.rank]),
  };
};

const rmsNorm = (x: tf.Tensor, weight: tf.Tensor, epsilon: number): tf.Tensor =>
  tf.mul(weight, tf.div(x, tf.sqrt(tf.add(tf.mean(tf.square(x), -1, true), epsilon))));

const attention = (model: Model, queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor): tf.Tensor => {
  const tokens = queries.shape[0];
  const head = (tensor: tf.Tensor, index: number): tf.Tensor =>
    tf.slice(tensor, [0, index * model.headSize], [tokens, model.headSize]);
  const group = model.headCount / model.keyValueHeadCount;
  const outputs = Array.from({ length: model.headCount }, (_, index) => {
    const query = rotary(model, head(queries, index));
    const key = rotary(model, head(keys, Math.floor(index / group)));
    const scores = tf.div(tf.matMul(query, key, false, true), Math.sqrt(model.headSize));
    const future = tf.tensor2d(
      Array.from({ length: tokens }, (_, q) => Array.from({ length: tokens }, (_, k) => (k > q ? -1e30 : 0))),
    );
    return tf.matMul(tf.softmax(tf.add(scores, future)), head(values, Math.floor(index / group)));
  });
  return tf.concat(outputs, 1);
};

/** Pair i of a token at place p turns by p·θ^(−2i/d), scaled by the model's RoPE scaling. */
const rotary = (model: Model, x: tf.Tensor): tf.Tensor => {
  const tokens = x.shape[0];
  const half = model.headSize / 2;
  const angle = (place: number, pair: number): number => place * frequency(model, pair);
  const table = (of: (angle: number) => number): tf.Tensor =>
    tf.tensor2d(
      Array.from({ length: tokens }, (_, place) => Array.from({ length: half }, (_, pair) => of(angle(place, pair)))),
    );
  const [cosines, sines] = [table(Math.cos), table(Math.sin)];
  const [first, second] = [tf.slice(x, [0, 0], [tokens, half]), tf.slice(x, [0, half], [tokens, half])];
  return tf.concat(
    [tf.sub(tf.mul(first, cosines), tf.mul(second, sines)), tf.add(tf.mul(second, cosines), tf.mul(first, sines))],
    1,
  );
};

const frequency = ({ ropeTheta, ropeScaling: scaling, headSize }: Model, pair: number): number => {
  const base = ropeTheta ** ((-2 * pair) / headSize);
  if (scaling.type === 'none') return base;
  if (scaling.type === 'linear') return base / scaling.factor;
  const wavelength = (2 * Math.PI) / base;
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions: original } = scaling;
  if (wavelength > original / low) return base / factor;
  if (wavelength < original / high) return base;
  const smooth = (original / wavelength - low) / (high - low);
  return (1 - smooth) * (base / factor) + smooth * base;
};
