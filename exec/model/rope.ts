import { type Tensor2D, type Tensor3D, add, matMul, mul, neg, reshape, tensor2d } from '@tensorflow/tfjs-core';
import type { Model, RopeScaling } from '../../core/model/model.ts';
import { scoped } from '../backend/scope.ts';

/** Rotation of every token of a microbatch; `[tokens, head size]`, or as many heads of it as are rotated together. */
export interface Rotation {
  readonly cosines: Tensor2D;
  readonly sines: Tensor2D;
}

/**
 * Angular frequencies of the pairs of a head, float32 as Hugging Face computes them, so that angles round alike:
 * θ^(−2i/d), scaled for longer contexts (`_compute_linear_scaling_rope_parameters`, `_compute_llama3_parameters`).
 */
export const rotaryFrequencies = (model: Model): Float32Array => {
  const pairs = model.headSize / 2;
  return Float32Array.from({ length: pairs }, (_, pair) =>
    scaleFrequency(
      Math.fround(1 / Math.fround(model.ropeTheta ** Math.fround((2 * pair) / model.headSize))),
      model.ropeScaling,
    ),
  );
};

const scaleFrequency = (frequency: number, scaling: RopeScaling): number => {
  if (scaling.type === 'none') return frequency;
  if (scaling.type === 'linear') return frequency / scaling.factor;
  const turns = (scaling.originalMaxPositions * frequency) / (2 * Math.PI);
  if (turns < scaling.lowFrequencyFactor) return frequency / scaling.factor;
  if (turns > scaling.highFrequencyFactor) return frequency;
  const smooth = (turns - scaling.lowFrequencyFactor) / (scaling.highFrequencyFactor - scaling.lowFrequencyFactor);
  return ((1 - smooth) * frequency) / scaling.factor + smooth * frequency;
};

/**
 * Rotations of tokens at the given places of their rows. Both tables carry a factor d^(−1/4): queries and keys are rotated
 * alike, so their products come out scaled by 1/√d as attention wants them.
 */
export const rotationOf = (frequencies: Float32Array, positions: Int32Array): Rotation => {
  const pairs = frequencies.length;
  const width = 2 * pairs;
  const factor = width ** -0.25;
  const cosines = new Float32Array(positions.length * width);
  const sines = new Float32Array(positions.length * width);
  positions.forEach((position, token) => {
    for (let pair = 0; pair < pairs; pair++) {
      const angle = Math.fround(position * frequencies[pair]!);
      const at = token * width + pair;
      cosines[at] = cosines[at + pairs] = factor * Math.cos(angle);
      sines[at] = sines[at + pairs] = factor * Math.sin(angle);
    }
  });
  return { cosines: tensor2d(cosines, [positions.length, width]), sines: tensor2d(sines, [positions.length, width]) };
};

/**
 * The matrix S with x·S = [−x₂, x₁] for a head x = [x₁, x₂] ("rotate half"). One small product is as fast as two slices
 * and a concat on the wasm backend, and one kernel instead of four.
 */
export const halfRotation = (headSize: number): Tensor2D => {
  const values = new Float32Array(headSize * headSize);
  const half = headSize / 2;
  for (let i = 0; i < half; i++) {
    values[(i + half) * headSize + i] = -1;
    values[i * headSize + i + half] = 1;
  }
  return tensor2d(values, [headSize, headSize]);
};

/** Rotates heads `[heads, tokens, head size]`: x∘cos + (x·S)∘sin. */
export const rotate = (heads: Tensor3D, { cosines, sines }: Rotation, half: Tensor2D): Tensor3D =>
  scoped(() => {
    const rows = reshape(heads, [-1, half.shape[0]]);
    const swapped = reshape(matMul(rows, half), heads.shape);
    return add<Tensor3D>(mul(heads, cosines), mul(swapped, sines));
  });

/** Gradient of `rotate`: the opposite rotation, because Sᵀ = −S and the two halves of a head share their sines. */
export const rotateBack = (gradient: Tensor3D, { cosines, sines }: Rotation, half: Tensor2D): Tensor3D =>
  scoped(() => rotate(gradient, { cosines, sines: neg(sines) }, half));
