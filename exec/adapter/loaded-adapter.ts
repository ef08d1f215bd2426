import { type Rank, type Tensor1D, type Tensor2D, add, concat1d, dispose, keep, reshape, slice, sum, tensor1d, tensor2d, transpose } from '@tensorflow/tfjs-core';
import { adapterScale } from '../../core/job.ts';
import { type Model, type ModuleName, linearShape } from '../../core/model/model.ts';
import type { Backend } from '../backend/backend.ts';
import { scoped } from '../backend/scope.ts';
import type { LayerRange } from '../checkpoint/model-tensors.ts';
import type { AdapterSetup, NamedArray } from '../stage.ts';
import { type RowSpan, dropoutMask } from './dropout.ts';
import { initialValues } from './initial-values.ts';
import type { LowRankOperands } from './low-rank.ts';
import { packParameters, unpackParameters } from './named-parameters.ts';
import { createOptimizer } from './optimizer.ts';
import { type ParameterLayout, type Segment, parameterLayout, peftName } from './parameter-layout.ts';

/** Gradients of an adapter's matrices by PEFT's key, each in the shape its segment has. */
export type AdapterGradients = ReadonlyMap<string, Tensor2D>;

/** One adapter on one stage: parameters, accumulated gradient and optimizer state. */
export interface LoadedAdapter {
  readonly setup: AdapterSetup;
  readonly targets: (module: ModuleName) => boolean;
  readonly operands: (layer: number, module: ModuleName) => LowRankOperands;
  /** Mask `[tokens, in]` for a module's input; undefined without dropout. The caller disposes it. */
  readonly mask: (layer: number, module: ModuleName, rows: RowSpan) => Tensor2D | undefined;
  /** Numbers `rows` training rows of the running mini-batch; returns the place of the first. */
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
  const { adapter, seed } = setup;
  const layout = parameterLayout(model, range, adapter);
  const optimizer = createOptimizer(setup.optimizer, layout.size);
  const targets = new Set(adapter.targetModules);
  let parameters = tensor1d(initial === undefined ? initialValues(layout, seed) : packParameters(layout, initial));
  let operands: ReadonlyMap<string, LowRankOperands> | undefined;
  let gradient: Tensor1D | undefined;
  let steps = 0;
  let rowsTaken = 0;

  const dropOperands = (): void => {
    operands?.forEach(({ down, downTransposed, up, upTransposed }) => dispose([down, downTransposed, up, upTransposed]));
    operands = undefined;
  };

  return {
    setup,
    targets: (module) => targets.has(module),
    operands: (layer, module) => {
      operands ??= deriveOperands(layout, parameters, adapterScale(adapter));
      return operands.get(operandKey(layer, module))!;
    },
    mask: (layer, module, rows) => {
      if (adapter.dropout === 0) return undefined;
      const width = linearShape(model, module).inputSize;
      const values = dropoutMask({ seed, step: steps, layer, module }, rows, width, adapter.dropout);
      return tensor2d(values, [values.length / width, width]);
    },
    takeRows: (rows) => (rowsTaken += rows) - rows,
    accumulate: (gradients) => {
      const previous = gradient;
      gradient = scoped(() => {
        const flat = flatten(layout, gradients);
        return previous === undefined ? flat : add<Tensor1D>(previous, flat);
      });
      previous?.dispose();
      gradients.forEach((tensor) => tensor.dispose());
    },
    step: () => {
      if (gradient === undefined) throw new Error(`adapter ${setup.name} steps without a gradient`);
      const next = optimizer.update(parameters, gradient);
      dispose([parameters, gradient]);
      parameters = next;
      gradient = undefined;
      dropOperands();
      steps++;
      rowsTaken = 0;
    },
    gradientIsFinite: async () => {
      if (gradient === undefined) return true;
      const total = scoped(() => sum(gradient!));
      const [value] = await backend.read(total);
      total.dispose();
      return Number.isFinite(value);
    },
    weights: async () => unpackParameters(layout, await backend.read(parameters)),
    dispose: () => {
      dropOperands();
      gradient?.dispose();
      parameters.dispose();
      optimizer.dispose();
    },
  };
};

const operandKey = (layer: number, module: ModuleName): string => `${layer}.${module}`;

const deriveOperands = (layout: ParameterLayout, parameters: Tensor1D, scale: number): ReadonlyMap<string, LowRankOperands> => {
  const matrixOf = (segment: Segment): Tensor2D =>
    reshape(slice(parameters, segment.offset, segment.size * segment.rank), [segment.size, segment.rank]);
  // Made in the middle of a forward, but kept until the next step.
  const operandsOf = (down: Tensor2D, upTransposed: Tensor2D): LowRankOperands => ({
    down: keep(down),
    downTransposed: keep(transpose(down)),
    up: keep(transpose(upTransposed)),
    upTransposed: keep(upTransposed),
    scale,
  });
  const byName = new Map(layout.segments.map((segment) => [segment.name, segment]));
  return new Map(
    layout.segments
      .filter(({ matrix }) => matrix === 'A')
      .map((segment) => {
        const other = byName.get(peftName(segment.layer, segment.module, 'B'))!;
        return [operandKey(segment.layer, segment.module), scoped(() => operandsOf(matrixOf(segment), matrixOf(other)))];
      }),
  );
};

const flatten = ({ segments }: ParameterLayout, gradients: AdapterGradients): Tensor1D =>
  concat1d(
    segments.map(({ name, size, rank }) => {
      const gradient = gradients.get(name);
      if (gradient === undefined) throw new Error(`no gradient for ${name}`);
      return reshape<Rank.R1>(gradient, [size * rank]);
    }),
  );
