import { type Tensor, type Tensor1D, type Tensor2D, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import type { Model, ModuleName } from '../../core/model/model.ts';
import type { Problems } from '../../core/problem.ts';
import type { FrozenWeights } from '../adapter/operand-cache.ts';
import type { TensorSource } from '../checkpoint/checkpoint.ts';
import {
  EMBEDDING_TENSOR,
  FINAL_NORM_TENSOR,
  type LayerRange,
  checkModelTensors,
  hasBias,
  headTensor,
  isFirstStage,
  isLastStage,
  modulePath,
  stageTensors,
} from '../checkpoint/model-tensors.ts';
import type { LinearGroup } from './adapted-linears.ts';
import { type FrozenLinear, frozenLinear } from './frozen-linear.ts';
import { type LayerWeights, findFrozen } from './layer.ts';
import type { HeadWeights } from './loss-head.ts';

/** Frozen weights of a stage on the device. */
export interface StageWeights {
  /** `[vocabulary, hidden]`, on the first stage. */
  readonly embedding: Tensor2D | undefined;
  readonly layers: readonly LayerWeights[];
  /** On the last stage. */
  readonly head: HeadWeights | undefined;
  readonly dispose: () => void;
}

/** Reads the tensors of a layer range, and nothing else, onto the device; Left names every tensor that does not fit. */
export const loadStageWeights = async (
  model: Model,
  range: LayerRange,
  source: TensorSource,
): Promise<E.Either<Problems, StageWeights>> => {
  const problems = checkModelTensors(model, range, source);
  if (isNonEmpty(problems)) return E.left(problems);
  const loaded = new Map<string, Tensor>();
  for (const [name, shape] of stageTensors(model, range)) {
    const values = await source.read(name);
    if (E.isLeft(values)) {
      loaded.forEach((tensor) => tensor.dispose());
      return values;
    }
    const [rows, columns] = shape as readonly [number, number?];
    loaded.set(name, columns === undefined ? tensor1d(values.right) : tensor2d(values.right, [rows, columns]));
  }
  return E.right(arrangeWeights(model, range, loaded));
};

/** Finds the frozen W `[out, in]` of a module on the stage. */
export const frozenWeightsOf =
  ({ layers }: StageWeights, range: LayerRange): FrozenWeights =>
  (layer, module) =>
    findFrozen(layers[layer - range.first]!, module).weight;

/** Finds loaded tensors by name; `linear` also makes what a frozen product needs beside its weight. */
interface LoadedTensors {
  readonly matrix: (name: string) => Tensor2D;
  readonly vector: (name: string) => Tensor1D;
  readonly linear: (weight: string, bias?: string) => FrozenLinear;
}

const arrangeWeights = (model: Model, range: LayerRange, loaded: ReadonlyMap<string, Tensor>): StageWeights => {
  const made: Tensor[] = [...loaded.values()];
  const matrix = (name: string): Tensor2D => loaded.get(name) as Tensor2D;
  const vector = (name: string): Tensor1D => loaded.get(name) as Tensor1D;
  const linear = (weight: string, bias?: string): FrozenLinear => {
    const frozen = frozenLinear(matrix(weight), bias === undefined ? undefined : vector(bias));
    made.push(...(frozen.transposed === undefined ? [] : [frozen.transposed]));
    return frozen;
  };
  const tensors: LoadedTensors = { matrix, vector, linear };
  return {
    embedding: isFirstStage(range) ? matrix(EMBEDDING_TENSOR) : undefined,
    layers: Array.from({ length: range.end - range.first }, (_, index) =>
      arrangeLayer(model, range.first + index, tensors),
    ),
    head: isLastStage(model, range)
      ? { norm: vector(FINAL_NORM_TENSOR), normEpsilon: model.rmsNormEpsilon, linear: linear(headTensor(model)) }
      : undefined,
    dispose: () => made.forEach((tensor) => tensor.dispose()),
  };
};

const arrangeLayer = (model: Model, layer: number, { vector, linear }: LoadedTensors): LayerWeights => {
  const group = (modules: readonly ModuleName[]): LinearGroup => ({
    layer,
    linears: modules.map((module) => {
      const path = modulePath(layer, module);
      return { module, frozen: linear(`${path}.weight`, hasBias(model, module) ? `${path}.bias` : undefined) };
    }),
  });
  return {
    inputNorm: vector(`model.layers.${layer}.input_layernorm.weight`),
    attentionNorm: vector(`model.layers.${layer}.post_attention_layernorm.weight`),
    queryKeyValue: group(['q_proj', 'k_proj', 'v_proj']),
    output: group(['o_proj']),
    gateUp: group(['gate_proj', 'up_proj']),
    down: group(['down_proj']),
    normEpsilon: model.rmsNormEpsilon,
  };
};
