import { adapterScale } from '../../core/job.ts';
import { linearShape, type Model, type ModuleName } from '../../core/model/model.ts';
import { assertNever } from '../../core/never.ts';
import { modulePath } from '../checkpoint/model-tensors.ts';
import { type TrainedMatrix, peftName } from './parameter-layout.ts';
import type { PeftAdapter } from './peft-folder.ts';
import { drawVeraProjection } from './vera-projection.ts';

/** Merges one weight matrix `[out, in]`, row-major, which stays as it is. */
export type MergeWeight = (base: Float32Array) => Float32Array;

/** How each weight matrix that an adapter changes is merged with it, by the base model's tensor name. */
export const createMerges = (model: Model, peft: PeftAdapter): ReadonlyMap<string, MergeWeight> => {
  const lowRankOf = createLowRank(model, peft);
  return new Map(
    Array.from({ length: model.layerCount }, (_, layer) => layer).flatMap((layer) =>
      peft.adapter.targetModules.map((module): [string, MergeWeight] => {
        const merge: MergeWeight = (base) => {
          const merged = addProduct(base, lowRankOf(layer, module));
          if (peft.adapter.type === 'dora') scaleRows(merged, trained(peft, layer, module, 'magnitude'));
          return merged;
        };
        return [`${modulePath(layer, module)}.weight`, merge];
      }),
    ),
  );
};

const trained = ({ weights }: PeftAdapter, layer: number, module: ModuleName, matrix: TrainedMatrix): Float32Array =>
  weights.find(({ name }) => name === peftName(layer, module, matrix))!.values;

/** The product scale·up·down that is added to a weight matrix. */
interface LowRank {
  /** `[rank, in]`. */
  readonly down: Float32Array;
  /** `[out, rank]`. */
  readonly up: Float32Array;
  readonly rank: number;
  readonly scale: number;
}

const createLowRank = (model: Model, peft: PeftAdapter): ((layer: number, module: ModuleName) => LowRank) => {
  const { adapter } = peft;
  const { rank, type } = adapter;
  switch (type) {
    case 'lora':
    case 'rslora':
    case 'dora':
      return (layer, module) => {
        const [down, up] = [trained(peft, layer, module, 'A'), trained(peft, layer, module, 'B')];
        return { down, up, rank, scale: adapterScale(adapter) };
      };
    case 'vera': {
      const { A, inputSize: widest, B } = drawVeraProjection(model, adapter);
      return (layer, module) => {
        const { inputSize, outputSize } = linearShape(model, module);
        const [d, b] = [trained(peft, layer, module, 'd'), trained(peft, layer, module, 'b')];
        const down = new Float32Array(rank * inputSize).map((_, i) => {
          const k = Math.floor(i / inputSize);
          return d[k]! * A[k * widest + (i % inputSize)]!;
        });
        const up = B.slice(0, outputSize * rank).map((value, i) => b[Math.floor(i / rank)]! * value);
        return { down, up, rank, scale: 1 };
      };
    }
    default:
      return assertNever(type);
  }
};

/** base + scale·up·down, summed in double precision row by row. */
const addProduct = (base: Float32Array, { down, up, rank, scale }: LowRank): Float32Array => {
  const width = down.length / rank;
  const merged = new Float32Array(base.length);
  const sums = new Float64Array(width);
  for (let row = 0; row < up.length / rank; row++) {
    sums.set(base.subarray(row * width, (row + 1) * width));
    for (let k = 0; k < rank; k++) {
      const factor = scale * up[row * rank + k]!;
      for (let column = 0; column < width; column++) sums[column]! += factor * down[k * width + column]!;
    }
    merged.set(sums, row * width);
  }
  return merged;
};

/** DoRA (Liu et al. 2024): gives every row the trained length. */
const scaleRows = (merged: Float32Array, magnitude: Float32Array): void => {
  const width = merged.length / magnitude.length;
  magnitude.forEach((length, row) => {
    const values = merged.subarray(row * width, (row + 1) * width);
    const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    values.forEach((value, column) => (values[column] = (value * length) / norm));
  });
};
