import { type Tensor1D, type Tensor2D, keep, mul, reshape, slice, transpose } from '@tensorflow/tfjs-core';
import type { ModuleName } from '../../core/model/model.ts';
import { release, scoped } from '../backend/scope.ts';
import type { LowRankOperands } from './low-rank.ts';
import { type ParameterLayout, type Segment, peftName } from './parameter-layout.ts';

/** The matrices of an adapter, cut from its parameter vector when first needed and until the parameters change. */
export interface OperandCache {
  readonly get: (layer: number, module: ModuleName, parameters: Tensor1D) => LowRankOperands;
  /** To be called when the parameters change. */
  readonly clear: () => void;
}

/** An empty cache for matrices of the given layout and scale. */
export const createOperandCache = (layout: ParameterLayout, scale: number): OperandCache => {
  const segments = new Map(layout.segments.map((segment) => [segment.name, segment]));
  const cached = new Map<string, LowRankOperands>();
  return {
    get: (layer, module, parameters) => {
      const key = `${layer}.${module}`;
      let operands = cached.get(key);
      if (operands === undefined) {
        const [A, B] = [segments.get(peftName(layer, module, 'A'))!, segments.get(peftName(layer, module, 'B'))!];
        operands = deriveOperands(parameters, A, B, scale);
        cached.set(key, operands);
      }
      return operands;
    },
    clear: () => {
      release([...cached.values()]);
      cached.clear();
    },
  };
};

/** Made in the middle of a forward, but kept until the next step. */
const deriveOperands = (parameters: Tensor1D, A: Segment, B: Segment, scale: number): LowRankOperands =>
  scoped(() => {
    const [down, upTransposed] = [matrixOf(parameters, A), matrixOf(parameters, B)];
    const operands: LowRankOperands = {
      scaledDown: mul(down, scale),
      up: transpose(upTransposed),
      scaledUpTransposed: mul(upTransposed, scale),
      downTransposed: transpose(down),
    };
    Object.values(operands).forEach((matrix: Tensor2D) => keep(matrix));
    return operands;
  });

const matrixOf = (parameters: Tensor1D, { offset, size, rank }: Segment): Tensor2D =>
  reshape(slice(parameters, offset, size * rank), [size, rank]);
