import { type Tensor2D, dispose, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { adapterScale } from '../../core/job.ts';
import { type Model, type ModuleName, linearShape } from '../../core/model/model.ts';
import type { Backend } from '../backend/backend.ts';
import type { LayerRange } from '../checkpoint/model-tensors.ts';
import type { AdapterSetup, NamedArray } from '../stage.ts';
import { type RowSpan, dropoutMask } from './dropout.ts';
import { type AdapterGradients, createGradientSum } from './gradient-sum.ts';
import { initialValues } from './initial-values.ts';
import type { LowRankOperands } from './low-rank.ts';
import { packParameters, unpackParameters } from './named-parameters.ts';
import { createOperandCache } from './operand-cache.ts';
import { createOptimizer } from './optimizer.ts';
import { parameterLayout } from './parameter-layout.ts';

/** One adapter on one stage: parameters, accumulated gradient and optimizer state. */
export interface LoadedAdapter {
  readonly targets: (module: ModuleName) => boolean;
  /** The adapter has dropout, so that every module sees an input of its own. */
  readonly masksInputs: boolean;
  readonly operands: (layer: number, module: ModuleName) => LowRankOperands;
  /** Dropout mask `[tokens, in]` for a module's input; undefined without dropout. The caller disposes it. */
  readonly mask: (layer: number, module: ModuleName, rows: RowSpan) => Tensor2D | undefined;
  /** Numbers `rows` more training rows of the running mini-batch; returns the place of the first. */
  readonly takeRows: (rows: number) => number;
  /** Adds gradients of one microbatch, which it takes over. Every matrix of the stage must be there. */
  readonly accumulate: (gradients: AdapterGradients) => void;
  /** One optimizer step from the accumulated gradient, which it clears; throws when there is none. */
  readonly step: () => void;
  /** Whether every accumulated gradient is a finite number. */
  readonly gradientIsFinite: () => Promise<boolean>;
  readonly weights: () => Promise<readonly NamedArray[]>;
  readonly dispose: () => void;
}

export interface LoadOptions {
  readonly model: Model;
  readonly range: LayerRange;
  readonly backend: Backend;
  readonly setup: AdapterSetup;
  /** Weights to start from instead of fresh ones, under PEFT's names. */
  readonly initial: readonly NamedArray[] | undefined;
}

/** Puts an adapter on the device; throws if `initial` does not hold every matrix of the stage in its shape. */
export const loadAdapter = ({ model, range, backend, setup, initial }: LoadOptions): LoadedAdapter => {
  const { adapter, seed, name } = setup;
  const layout = parameterLayout(model, range, adapter);
  const targets = new Set(adapter.targetModules);
  const optimizer = createOptimizer(setup.optimizer, layout.size);
  const operands = createOperandCache(layout, adapterScale(adapter));
  const gradients = createGradientSum(layout, backend);
  let parameters = tensor1d(initial === undefined ? initialValues(layout, seed) : packParameters(layout, initial));
  let steps = 0;
  let rowsTaken = 0;
  return {
    targets: (module) => targets.has(module),
    masksInputs: adapter.dropout > 0,
    operands: (layer, module) => operands.get(layer, module, parameters),
    mask: (layer, module, rows) => {
      if (adapter.dropout === 0) return undefined;
      const width = linearShape(model, module).inputSize;
      const values = dropoutMask({ seed, step: steps, layer, module }, rows, width, adapter.dropout);
      return tensor2d(values, [values.length / width, width]);
    },
    takeRows: (rows) => (rowsTaken += rows) - rows,
    accumulate: gradients.add,
    step: () => {
      const gradient = gradients.take();
      if (gradient === undefined) throw new Error(`adapter ${name} steps without a gradient`);
      const next = optimizer.update(parameters, gradient);
      dispose([parameters, gradient]);
      operands.clear();
      parameters = next;
      steps++;
      rowsTaken = 0;
    },
    gradientIsFinite: gradients.isFinite,
    weights: async () => unpackParameters(layout, await backend.read(parameters)),
    dispose: () => {
      operands.clear();
      gradients.dispose();
      parameters.dispose();
      optimizer.dispose();
    },
  };
};
