import { type Tensor, type Tensor1D, type Tensor2D, concat, dispose, keep, mul, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { learningRateAt } from '../../core/learning-rate.ts';
import { type Model, type ModuleName, linearShape } from '../../core/model/model.ts';
import type { Backend } from '../backend/backend.ts';
import type { LayerRange } from '../checkpoint/model-tensors.ts';
import { scoped } from '../backend/scope.ts';
import type { AdapterSetup, NamedArray } from '../stage.ts';
import { type ModuleGradients, type ModuleOperands, createAdapterForm } from './adapter-form.ts';
import { rowNorms } from './dora.ts';
import { clipFactor } from './clip-gradient.ts';
import { type RowSpan, dropoutMask } from './dropout.ts';
import { type AdapterGradients, createGradientSum } from './gradient-sum.ts';
import { initialValues } from './initial-values.ts';
import { packParameters, unpackParameters } from './named-parameters.ts';
import { type FrozenWeights, createOperandCache } from './operand-cache.ts';
import { createOptimizer } from './optimizer.ts';
import type { OptimizerStart } from './optimizer-state.ts';
import { type ParameterLayout, parameterLayout, peftName } from './parameter-layout.ts';

/** One adapter on one stage: parameters, accumulated gradient and optimizer state. */
export interface LoadedAdapter {
  readonly targets: (module: ModuleName) => boolean;
  /** The adapter has dropout, so that every module sees an input of its own. */
  readonly masksInputs: boolean;
  readonly operands: (layer: number, module: ModuleName) => ModuleOperands;
  /** Dropout mask `[tokens, in]` for a module's input; undefined without dropout. The caller disposes it. */
  readonly mask: (layer: number, module: ModuleName, rows: RowSpan) => Tensor2D | undefined;
  /** Numbers `rows` more training rows of the running mini-batch; returns the place of the first. */
  readonly takeRows: (rows: number) => number;
  /** Gradients of what the adapter trains in a module, by PEFT's key; kept beyond the running scope. */
  readonly trainedGradients: (layer: number, module: ModuleName, gradients: ModuleGradients) => ReadonlyMap<string, Tensor>;
  /** Adds gradients of one microbatch, which it takes over. Every matrix of the stage must be there. */
  readonly accumulate: (gradients: AdapterGradients) => void;
  /** Σ g² over the accumulated gradient on this stage. */
  readonly squaredGradientNorm: () => Promise<number>;
  /**
   * One optimizer step from the accumulated gradient, which it clears; throws when there is none, or when it is to be
   * clipped and its norm over all stages is not given.
   */
  readonly step: (gradientNorm: number | undefined) => void;
  /** Whether every accumulated gradient is a finite number. */
  readonly gradientIsFinite: () => Promise<boolean>;
  readonly weights: () => Promise<readonly NamedArray[]>;
  /** Weights and what the optimizer remembers, as `initial` takes it: all that the next step depends on. */
  readonly state: () => Promise<readonly NamedArray[]>;
  readonly dispose: () => void;
}

export interface LoadOptions {
  readonly model: Model;
  readonly range: LayerRange;
  readonly backend: Backend;
  readonly setup: AdapterSetup;
  readonly weightOf: FrozenWeights;
  /** Weights to start from instead of fresh ones, under PEFT's names. */
  readonly initial: readonly NamedArray[] | undefined;
  /** Steps the adapter has made; beyond 0 `initial` is a state. */
  readonly steps: number;
}

/** Puts an adapter on the device; throws if `initial` does not hold every matrix of the stage in its shape. */
export const loadAdapter = (options: LoadOptions): LoadedAdapter => {
  const { model, range, backend, setup, weightOf, initial, steps: firstStep } = options;
  const { adapter, seed, name } = setup;
  const layout = parameterLayout(model, range, adapter);
  const targets = new Set(adapter.targetModules);
  const optimizer = createOptimizer(setup.optimizer, {
    size: layout.size,
    learningRate: (step) => learningRateAt(setup.optimizer, step, setup.iterations),
    multiples: rateMultiples(layout, setup.optimizer.learningRateRatio),
    start: optimizerStart(layout, firstStep, initial),
  });
  const form = createAdapterForm(model, adapter);
  const operands = createOperandCache(layout, form, weightOf);
  const gradients = createGradientSum(layout, backend);
  let parameters = initial === undefined ? freshParameters(layout, setup, weightOf) : tensor1d(packParameters(layout, initial));
  let steps = firstStep;
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
    trainedGradients: (layer, module, moduleGradients) =>
      new Map(
        form
          .gradients(module, moduleGradients)
          .map(([matrix, gradient]) => [peftName(layer, module, matrix), keep(gradient)]),
      ),
    accumulate: gradients.add,
    squaredGradientNorm: gradients.squaredNorm,
    step: (gradientNorm) => {
      const factor = clipFactorOf(setup, gradientNorm);
      const taken = gradients.take();
      if (taken === undefined) throw new Error(`adapter ${name} steps without a gradient`);
      const gradient: Tensor1D = factor === 1 ? taken : mul(taken, factor);
      const next = optimizer.update(parameters, gradient);
      dispose([parameters, taken, gradient]);
      operands.clear();
      parameters = next;
      steps++;
      rowsTaken = 0;
    },
    gradientIsFinite: gradients.isFinite,
    weights: async () => unpackParameters(layout, await backend.read(parameters)),
    state: async () => {
      const vectors = Object.entries(optimizer.vectors());
      const read = [parameters, ...vectors.map(([, vector]) => vector)].map((vector) => backend.read(vector));
      const [weights, ...moments] = await Promise.all(read);
      return [
        ...unpackParameters(layout, weights!),
        ...vectors.flatMap(([name], i) => unpackParameters(prefixed(layout, name), moments[i]!)),
      ];
    },
    dispose: () => {
      operands.clear();
      form.dispose();
      gradients.dispose();
      parameters.dispose();
      optimizer.dispose();
    },
  };
};

const clipFactorOf = ({ name, optimizer: { maxGradientNorm } }: AdapterSetup, gradientNorm: number | undefined): number => {
  if (maxGradientNorm === null) return 1;
  if (gradientNorm === undefined) throw new Error(`adapter ${name} steps before the norm of its gradient is known`);
  return clipFactor(maxGradientNorm, gradientNorm);
};

/** Magnitudes are computed where the frozen weights are; all else comes from the seed. */
const freshParameters = (layout: ParameterLayout, { adapter, seed }: AdapterSetup, weightOf: FrozenWeights): Tensor1D =>
  scoped(() => {
    const values = initialValues(layout, adapter, seed);
    if (adapter.type !== 'dora') return tensor1d(values);
    const pieces = layout.segments.map(({ matrix, layer, module, offset, size, rank }) =>
      matrix === 'magnitude' ? rowNorms(weightOf(layer, module)) : tensor1d(values.subarray(offset, offset + size * rank)),
    );
    return concat(pieces, 0);
  });

/** LoRA+: all but A learn `ratio` times as fast, as PEFT's `create_loraplus_optimizer` groups them. */
const rateMultiples = ({ segments, size }: ParameterLayout, ratio: number): Float32Array | null => {
  if (ratio === 1) return null;
  const multiples = new Float32Array(size).fill(ratio);
  for (const { matrix, offset, size: rows, rank } of segments) {
    if (matrix === 'A') multiples.fill(1, offset, offset + rows * rank);
  }
  return multiples;
};

/** An optimizer's vector has the layout of the parameters; its tensors are called `optimizer.<vector>.<PEFT name>`. */
const prefixed = (layout: ParameterLayout, vector: string): ParameterLayout => ({
  ...layout,
  segments: layout.segments.map((segment) => ({ ...segment, name: `optimizer.${vector}.${segment.name}` })),
});

const optimizerStart = (
  layout: ParameterLayout,
  steps: number,
  state: readonly NamedArray[] | undefined,
): OptimizerStart | null =>
  steps === 0 || state === undefined
    ? null
    : { steps, vector: (name) => packParameters(prefixed(layout, name), state) };
