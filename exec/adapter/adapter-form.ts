import { type Tensor, type Tensor1D, type Tensor2D, mul, reshape, sum, tensor2d, transpose } from '@tensorflow/tfjs-core';
import { type Adapter, type VeraAdapter, adapterScale } from '../../core/job.ts';
import { type Model, type ModuleName, linearShape } from '../../core/model/model.ts';
import { release, scoped } from '../backend/scope.ts';
import { type MagnitudeOperands, magnitudeOperands } from './dora.ts';
import type { LowRankOperands } from './low-rank.ts';
import type { TrainedMatrix } from './parameter-layout.ts';
import { drawVeraProjection } from './vera-projection.ts';

/** What a module needs of its adapter between two optimizer steps. */
export interface ModuleOperands {
  readonly lowRank: LowRankOperands;
  /** DoRA only. */
  readonly magnitude: MagnitudeOperands | undefined;
}

/** Gradients as the module's backward gives them, whatever the adapter trains. */
export interface ModuleGradients {
  /** Of Aᵀ, `[in, rank]`. */
  readonly A: Tensor2D;
  /** Of B, `[out, rank]`. */
  readonly B: Tensor2D;
  /** Of DoRA's magnitude, `[out]`. */
  readonly magnitude?: Tensor1D;
}

/** Trained matrices of one module, `[size, rank]` each. */
export type TrainedMatrices = (matrix: TrainedMatrix) => Tensor2D;

/** What tells the kinds of adapters apart: how trained values make the operands of a low-rank module, and the way back. */
export interface AdapterForm {
  /** `weight` is the module's frozen W `[out, in]`. */
  readonly operands: (module: ModuleName, trained: TrainedMatrices, weight: Tensor2D) => ModuleOperands;
  /** Gradients of the trained matrices, row-major as they are stored. */
  readonly gradients: (module: ModuleName, gradients: ModuleGradients) => readonly (readonly [TrainedMatrix, Tensor])[];
  readonly dispose: () => void;
}

/** The form of an adapter; VeRA's puts its frozen matrices on the device. */
export const createAdapterForm = (model: Model, adapter: Adapter): AdapterForm =>
  adapter.type === 'vera' ? veraForm(model, adapter) : loraForm(adapter);

const loraForm = (adapter: Adapter): AdapterForm => ({
  operands: (_, trained, weight) =>
    scoped(() => {
      const lowRank = lowRankOperands(trained('A'), trained('B'), adapterScale(adapter));
      if (adapter.type !== 'dora') return { lowRank, magnitude: undefined };
      const magnitude: Tensor1D = reshape(trained('magnitude'), [-1]);
      return { lowRank, magnitude: magnitudeOperands(magnitude, weight, lowRank) };
    }),
  gradients: (_, { A, B, magnitude }) => [
    ['A', A],
    ['B', B],
    ...(magnitude === undefined ? [] : [['magnitude', magnitude] as const]),
  ],
  dispose: () => undefined,
});

/** A VeRA module is a LoRA module with the matrices diag(d)·A and diag(b)·B, so its gradients follow by the chain rule. */
const veraForm = (model: Model, adapter: VeraAdapter): AdapterForm => {
  const frozen = frozenProjections(model, adapter);
  return {
    operands: (module, trained) =>
      scoped(() => {
        const { down, up } = frozen.get(module)!;
        const lowRank = lowRankOperands(mul(down, transpose(trained('d'))), mul(up, trained('b')), 1);
        return { lowRank, magnitude: undefined };
      }),
    gradients: (module, { A, B }) => {
      const { down, up } = frozen.get(module)!;
      return scoped(() => [
        ['d', sum(mul(A, down), 0)],
        ['b', sum(mul(B, up), 1)],
      ]);
    },
    dispose: () => release([...frozen.values()]),
  };
};

/** Aᵀ `[in, rank]` and B `[out, rank]` as wide as each target module. */
const frozenProjections = (model: Model, adapter: VeraAdapter) => {
  const { rank, targetModules } = adapter;
  const { A, inputSize: widest, B } = drawVeraProjection(model, adapter);
  return new Map(
    targetModules.map((module) => {
      const { inputSize, outputSize } = linearShape(model, module);
      const down = new Float32Array(inputSize * rank).map((_, i) => A[(i % rank) * widest + Math.floor(i / rank)]!);
      const up = tensor2d(B.subarray(0, outputSize * rank), [outputSize, rank]);
      return [module, { down: tensor2d(down, [inputSize, rank]), up }] as const;
    }),
  );
};

const lowRankOperands = (down: Tensor2D, upTransposed: Tensor2D, scale: number): LowRankOperands => ({
  scaledDown: mul(down, scale),
  up: transpose(upTransposed),
  scaledUpTransposed: mul(upTransposed, scale),
  downTransposed: transpose(down),
});
