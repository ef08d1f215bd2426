import { type Rank, type Tensor, type Tensor1D, type Tensor2D, add, concat, reshape, sum } from '@tensorflow/tfjs-core';
import type { Backend } from '../backend/backend.ts';
import { release, scoped } from '../backend/scope.ts';
import type { ParameterLayout } from './parameter-layout.ts';

/** Gradients of an adapter's matrices by PEFT's key, each as its segment is stored. */
export type AdapterGradients = ReadonlyMap<string, Tensor>;

/** The gradient of an adapter's parameter vector, summed over the microbatches of a mini-batch. */
export interface GradientSum {
  /** Adds the gradients of one microbatch, which it takes over; throws if one of the layout is missing. */
  readonly add: (gradients: AdapterGradients) => void;
  /** Hands out the sum and starts again from nothing; undefined where nothing was added. The caller disposes it. */
  readonly take: () => Tensor1D | undefined;
  /** Σ g² of the sum, in double precision: cut into stages or not, an adapter has the same norm. */
  readonly squaredNorm: () => Promise<number>;
  /** Whether the sum is made of finite numbers. */
  readonly isFinite: () => Promise<boolean>;
  readonly dispose: () => void;
}

export const createGradientSum = (layout: ParameterLayout, backend: Backend): GradientSum => {
  let total: Tensor1D | undefined;
  return {
    add: (gradients) => {
      const previous = total;
      total = scoped(() => {
        const flat = flatten(layout, gradients);
        return previous === undefined ? flat : add<Tensor1D>(previous, flat);
      });
      release([previous, ...gradients.values()]);
    },
    take: () => {
      const taken = total;
      total = undefined;
      return taken;
    },
    squaredNorm: async () => {
      if (total === undefined) return 0;
      return (await backend.read(total)).reduce((sum, value) => sum + value * value, 0);
    },
    isFinite: async () => {
      const current = total;
      if (current === undefined) return true;
      // One NaN or infinity anywhere makes the sum one.
      const check = scoped(() => sum(current));
      const [value] = await backend.read(check);
      check.dispose();
      return Number.isFinite(value);
    },
    dispose: () => total?.dispose(),
  };
};

/** Row after row the matrices are the vector; matrices of one width are joined before they are laid out flat. */
const flatten = ({ segments }: ParameterLayout, gradients: AdapterGradients): Tensor1D => {
  const matrices = segments.map(({ name }) => {
    const gradient = gradients.get(name);
    if (gradient === undefined) throw new Error(`no gradient for ${name}`);
    return gradient;
  });
  const [first] = matrices;
  const sameWidth = matrices.every(({ shape }) => shape.length === 2 && shape[1] === first!.shape[1]);
  if (sameWidth) return reshape<Rank.R1>(concat(matrices as Tensor2D[], 0), [-1]);
  return concat(matrices.map((matrix) => reshape<Rank.R1>(matrix, [-1])), 0);
};
