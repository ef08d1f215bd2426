import { assertNever } from '../../core/never.ts';
import type { Adapter } from '../../core/job.ts';
import { type Model, type ModuleName, linearShape } from '../../core/model/model.ts';
import { type LayerRange, modulePath } from '../checkpoint/model-tensors.ts';

/**
 * What an adapter trains in one module: the matrices A and B of h = Wx + scale·B·A·x, DoRA's magnitude, or VeRA's vectors d
 * (behind A) and b (behind B).
 */
export type TrainedMatrix = 'A' | 'B' | 'magnitude' | 'd' | 'b';

/** One trained matrix inside the flat parameter vector of an adapter, stored row-major as `[size, rank]`. */
export interface Segment {
  readonly layer: number;
  readonly module: ModuleName;
  readonly matrix: TrainedMatrix;
  /** Width of the module's input (A) or output (B, magnitude, b), or the rank (d). */
  readonly size: number;
  /** 1 for vectors. */
  readonly rank: number;
  readonly offset: number;
  /** PEFT's key, e.g. `base_model.model.model.layers.3.self_attn.q_proj.lora_A.weight`. */
  readonly name: string;
}

/**
 * All parameters of one adapter on one stage lie in one vector: the optimizer then needs a fixed number of kernels,
 * however many modules there are. A is stored transposed against PEFT (`[in, rank]`), B as PEFT has it (`[out, rank]`).
 */
export interface ParameterLayout {
  readonly segments: readonly Segment[];
  readonly size: number;
}

/** Lays out an adapter's matrices on the layers of a stage: by layer, then target module, then matrix. */
export const parameterLayout = (model: Model, range: LayerRange, adapter: Adapter): ParameterLayout => {
  const segments: Segment[] = [];
  let offset = 0;
  for (let layer = range.first; layer < range.end; layer++) {
    for (const module of adapter.targetModules) {
      for (const shape of trainedMatrices(model, adapter, module)) {
        segments.push({ layer, module, ...shape, offset, name: peftName(layer, module, shape.matrix) });
        offset += shape.size * shape.rank;
      }
    }
  }
  return { segments, size: offset };
};

const trainedMatrices = (
  model: Model,
  adapter: Adapter,
  module: ModuleName,
): readonly Pick<Segment, 'matrix' | 'size' | 'rank'>[] => {
  const { inputSize, outputSize } = linearShape(model, module);
  const { rank, type } = adapter;
  const lora = [
    { matrix: 'A', size: inputSize, rank },
    { matrix: 'B', size: outputSize, rank },
  ] as const;
  switch (type) {
    case 'lora':
    case 'rslora':
      return lora;
    case 'dora':
      return [...lora, { matrix: 'magnitude', size: outputSize, rank: 1 }];
    case 'vera':
      return [
        { matrix: 'd', size: rank, rank: 1 },
        { matrix: 'b', size: outputSize, rank: 1 },
      ];
    default:
      return assertNever(type);
  }
};

const PEFT_SUFFIX: Readonly<Record<TrainedMatrix, string>> = {
  A: 'lora_A.weight',
  B: 'lora_B.weight',
  magnitude: 'lora_magnitude_vector',
  d: 'vera_lambda_d',
  b: 'vera_lambda_b',
};

/** PEFT's key of a trained matrix (`PeftModel` wraps the model twice, hence `base_model.model`). */
export const peftName = (layer: number, module: ModuleName, matrix: TrainedMatrix): string =>
  `base_model.model.${modulePath(layer, module)}.${PEFT_SUFFIX[matrix]}`;

/** Shape of a matrix in PEFT's files: A is `[rank, in]`, B is `[out, rank]`, vectors have one dimension. */
export const peftShape = ({ matrix, size, rank }: Segment): readonly number[] => {
  if (matrix === 'A') return [rank, size];
  return matrix === 'B' ? [size, rank] : [size];
};
