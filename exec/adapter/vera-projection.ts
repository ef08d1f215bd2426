import { mersenne } from 'pure-rand/generator/mersenne';
import type { VeraAdapter } from '../../core/job.ts';
import { type Model, linearShape } from '../../core/model/model.ts';

/** VeRA's frozen matrices, drawn for the widest target modules; a narrower module uses their first columns or rows. */
export interface VeraProjection {
  /** `[rank, inputSize]`. */
  readonly A: Float32Array;
  readonly inputSize: number;
  /** `[outputSize, rank]`. */
  readonly B: Float32Array;
  readonly outputSize: number;
}

/**
 * The matrices that PEFT (0.12, `vera/model.py`) draws from `projection_prng_key`: Kaiming-uniform with gain √2, first A,
 * then B, from PyTorch's Mersenne Twister.
 */
export const drawVeraProjection = (model: Model, { rank, targetModules, projectionSeed }: VeraAdapter): VeraProjection => {
  const shapes = targetModules.map((module) => linearShape(model, module));
  const inputSize = Math.max(...shapes.map((shape) => shape.inputSize));
  const outputSize = Math.max(...shapes.map((shape) => shape.outputSize));
  const generator = mersenne(projectionSeed);
  const draw = (size: number, fanIn: number): Float32Array => {
    const bound = Math.sqrt(6 / fanIn);
    return Float32Array.from({ length: size }, () => uniformLikeTorch(generator.next(), bound));
  };
  return { A: draw(rank * inputSize, inputSize), inputSize, B: draw(outputSize * rank, rank), outputSize };
};

/**
 * PyTorch makes a float32 from the low 24 bits of a draw (`uniform_real_distribution`) with a fused multiply-add: the product
 * has 48 bits, so that double precision holds it and only the result is rounded.
 */
const uniformLikeTorch = (bits: number, bound: number): number => {
  const high = Math.fround(bound);
  return Math.fround(((bits & 0xffffff) / 2 ** 24) * (2 * high) - high);
};
