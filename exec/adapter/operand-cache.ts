import { type Tensor, type Tensor1D, type Tensor2D, keep, reshape, slice } from '@tensorflow/tfjs-core';
import type { ModuleName } from '../../core/model/model.ts';
import { release, scoped } from '../backend/scope.ts';
import type { AdapterForm, ModuleOperands } from './adapter-form.ts';
import { type ParameterLayout, type Segment, peftName } from './parameter-layout.ts';

/** The matrices of an adapter, cut from its parameter vector when first needed and until the parameters change. */
export interface OperandCache {
  readonly get: (layer: number, module: ModuleName, parameters: Tensor1D) => ModuleOperands;
  /** To be called when the parameters change. */
  readonly clear: () => void;
}

/** The module's frozen W `[out, in]`. */
export type FrozenWeights = (layer: number, module: ModuleName) => Tensor2D;

/** An empty cache for matrices of the given layout. */
export const createOperandCache = (
  layout: ParameterLayout,
  form: AdapterForm,
  weightOf: FrozenWeights,
): OperandCache => {
  const segments = new Map(layout.segments.map((segment) => [segment.name, segment]));
  const cached = new Map<string, ModuleOperands>();
  /** Made in the middle of a forward, but kept until the next step. */
  const derive = (layer: number, module: ModuleName, parameters: Tensor1D): ModuleOperands =>
    scoped(() => {
      const operands = form.operands(
        module,
        (matrix) => matrixOf(parameters, segments.get(peftName(layer, module, matrix))!),
        weightOf(layer, module),
      );
      Object.values<Tensor>({ ...operands.lowRank, ...operands.magnitude }).forEach((tensor) => keep(tensor));
      return operands;
    });
  return {
    get: (layer, module, parameters) => {
      const key = `${layer}.${module}`;
      const operands = cached.get(key) ?? derive(layer, module, parameters);
      cached.set(key, operands);
      return operands;
    },
    clear: () => {
      release([...cached.values()]);
      cached.clear();
    },
  };
};

const matrixOf = (parameters: Tensor1D, { offset, size, rank }: Segment): Tensor2D =>
  reshape(slice(parameters, offset, size * rank), [size, rank]);
