import type { LoraAdapter } from '../../core/job.ts';
import { type Model, type ModuleName, linearShape } from '../../core/model/model.ts';
import { type LayerRange, modulePath } from '../checkpoint/model-tensors.ts';

/** The two trained matrices of a low-rank module: h = Wx + scale·B·A·x. */
export type LoraMatrix = 'A' | 'B';

/** One trained matrix inside the flat parameter vector of an adapter, stored row-major as `[size, rank]`. */
export interface Segment {
  readonly layer: number;
  readonly module: ModuleName;
  readonly matrix: LoraMatrix;
  /** Width of the module's input (A) or output (B). */
  readonly size: number;
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

/** Lays out an adapter's matrices on the layers of a stage: by layer, then target module, A before B. */
export const parameterLayout = (model: Model, range: LayerRange, adapter: LoraAdapter): ParameterLayout => {
  const segments: Segment[] = [];
  let offset = 0;
  for (let layer = range.first; layer < range.end; layer++) {
    for (const module of adapter.targetModules) {
      const { inputSize, outputSize } = linearShape(model, module);
      for (const [matrix, size] of [
        ['A', inputSize],
        ['B', outputSize],
      ] as const) {
        segments.push({
          layer,
          module,
          matrix,
          size,
          rank: adapter.rank,
          offset,
          name: peftName(layer, module, matrix),
        });
        offset += size * adapter.rank;
      }
    }
  }
  return { segments, size: offset };
};

/** PEFT's key of a LoRA matrix (`PeftModel` wraps the model twice, hence `base_model.model`). */
export const peftName = (layer: number, module: ModuleName, matrix: LoraMatrix): string =>
  `base_model.model.${modulePath(layer, module)}.lora_${matrix}.weight`;

/** Shape of a matrix in PEFT's files: A is `[rank, in]`, B is `[out, rank]`. */
export const peftShape = ({ matrix, size, rank }: Segment): readonly [number, number] =>
  matrix === 'A' ? [rank, size] : [size, rank];
