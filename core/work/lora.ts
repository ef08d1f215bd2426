import type { Adapter } from '../job.ts';
import { linearShape, MODULE_NAMES, type ModuleName } from '../model/model.ts';
import type { MicrobatchShape, ShapePart } from '../plan/plan.ts';
import { elementwise } from './elementwise.ts';
import { frozenBackward, frozenForward } from './frozen-linear.ts';
import { gemm } from './gemm.ts';
import type { Kernel } from './kernel.ts';
import { adapterOf, type WorkSetting } from './setting.ts';

/** Low-rank products of every adapter of a shape on its own rows of one module: x·A, then ·B, added to the output. */
export const loraForward = (setting: WorkSetting, module: ModuleName, shape: MicrobatchShape): Kernel[] =>
  adaptedParts(setting, module, shape).flatMap(({ adapter, tokens }) => {
    const { inputSize, outputSize } = linearShape(setting.model, module);
    return [
      ...(adapter.dropout > 0 ? [...drawMask(setting, tokens * inputSize), elementwise(setting, 'dropout', tokens * inputSize)] : []),
      gemm(setting, 'adapter', { m: tokens, n: adapter.rank, k: inputSize }),
      gemm(setting, 'adapter', { m: tokens, n: outputSize, k: adapter.rank }),
      elementwise(setting, 'scaleAdd', tokens * outputSize),
      ...(adapter.type === 'dora' ? doraForward(setting, module, adapter, tokens) : []),
    ];
  });

/** Direction, its scaling and the base's part taken off; behind dropout the base's product is needed for the masked input too. */
const doraForward = (setting: WorkSetting, module: ModuleName, { dropout }: Adapter, tokens: number): Kernel[] => {
  const { inputSize, outputSize } = linearShape(setting.model, module);
  return [
    elementwise(setting, 'add', tokens * outputSize, 3),
    ...(dropout > 0 ? frozenForward(setting, { m: tokens, n: outputSize, k: inputSize }) : []),
  ];
};

/** Which kernels of a backward: all, those the stage before waits for, or the weight gradients that only the step waits for. */
export type BackwardHalf = 'both' | 'input' | 'weight';

/**
 * Their gradients: ∇B = (xA)ᵀ∇h, ∇(xA) = ∇hBᵀ, ∇A = xᵀ∇(xA), and where the input gradient is wanted ∇(xA)Aᵀ, added in
 * place to the rows (paper section 3.3). ∇A and ∇B are the weights' half.
 */
export const loraBackward = (
  setting: WorkSetting,
  module: ModuleName,
  shape: MicrobatchShape,
  { inputGradient, half }: { readonly inputGradient: boolean; readonly half: BackwardHalf },
): Kernel[] =>
  adaptedParts(setting, module, shape).flatMap(({ adapter, tokens }) => {
    const { inputSize, outputSize } = linearShape(setting.model, module);
    const { rank } = adapter;
    const weightGradients = [
      ...outputGradient(setting, { tokens, rank, outputSize }),
      gemm(setting, 'adapter', { m: inputSize, n: rank, k: tokens }),
      ...(setting.elementwise === 'tfjs' ? [elementwise(setting, 'transpose', tokens * inputSize)] : []),
      elementwise(setting, 'add', rank * (inputSize + outputSize)),
    ];
    if (half === 'weight') return weightGradients;
    return [
      elementwise(setting, 'scaleAdd', tokens * rank),
      gemm(setting, 'adapter', { m: tokens, n: rank, k: outputSize }),
      ...(half === 'both' ? weightGradients : []),
      ...(adapter.type === 'dora' ? [elementwise(setting, 'add', tokens * outputSize, 3)] : []),
      ...(adapter.type === 'dora' && adapter.dropout > 0 && inputGradient
        ? frozenBackward(setting, { m: tokens, n: inputSize, k: outputSize })
        : []),
      ...(inputGradient
        ? [
            gemm(setting, 'adapter', { m: tokens, n: inputSize, k: rank }),
            ...(adapter.dropout > 0 ? [elementwise(setting, 'dropout', tokens * inputSize)] : []),
            elementwise(setting, 'add', tokens * inputSize),
          ]
        : []),
    ];
  });

/** ∇B; the executor computes its transpose, so that the narrow side is on the right. */
const outputGradient = (
  setting: WorkSetting,
  { tokens, rank, outputSize }: { readonly tokens: number; readonly rank: number; readonly outputSize: number },
): Kernel[] =>
  setting.elementwise === 'tfjs'
    ? [gemm(setting, 'adapter', { m: outputSize, n: rank, k: tokens }), elementwise(setting, 'transpose', tokens * outputSize)]
    : [gemm(setting, 'adapter', { m: rank, n: outputSize, k: tokens })];

/** The executor draws masks in JavaScript, so that they do not depend on neighbours; GPUs draw them inside the kernel. */
const drawMask = (setting: WorkSetting, elements: number): Kernel[] =>
  setting.elementwise === 'tfjs' ? [{ kind: 'random', elements, count: 1 }] : [];

/** Trained parameters of one adapter in one layer, over its target modules. */
export const adapterLayerParameters = (setting: Pick<WorkSetting, 'model'>, adapter: Adapter): number =>
  adapterLayerTensors(setting, adapter).reduce((sum, elements) => sum + elements, 0);

/** Elements of each trained tensor of one adapter in one layer. */
export const adapterLayerTensors = ({ model }: Pick<WorkSetting, 'model'>, { type, rank, targetModules }: Adapter): number[] =>
  targetModules.flatMap((module) => {
    const { inputSize, outputSize } = linearShape(model, module);
    if (type === 'vera') return [rank, outputSize];
    return [rank * inputSize, rank * outputSize, ...(type === 'dora' ? [outputSize] : [])];
  });

/**
 * Elements that the executor cuts from one layer's trained values for its products and keeps from step to step: A and B,
 * each in both orientations; for DoRA also two values per output.
 */
export const adapterOperands = (setting: Pick<WorkSetting, 'model'>, adapter: Adapter): number =>
  sumOverTargets(setting, adapter, ({ inputSize, outputSize }) => 2 * adapter.rank * (inputSize + outputSize) + (adapter.type === 'dora' ? 2 * outputSize : 0));

/** Frozen values that an adapter brings to every stage: VeRA's projections, cut to each target module. */
export const adapterFrozenParameters = (setting: Pick<WorkSetting, 'model'>, adapter: Adapter): number =>
  adapter.type === 'vera'
    ? sumOverTargets(setting, adapter, ({ inputSize, outputSize }) => adapter.rank * (inputSize + outputSize))
    : 0;

const sumOverTargets = (
  { model }: Pick<WorkSetting, 'model'>,
  { targetModules }: Adapter,
  of: (shape: ReturnType<typeof linearShape>) => number,
): number => targetModules.reduce((sum, module) => sum + of(linearShape(model, module)), 0);

/** Kernels that follow a step in each layer: the row norms of W + scale·B·A, which DoRA divides by. */
export const normsAfterStep = (setting: WorkSetting, adapter: Adapter): Kernel[] =>
  adapter.type !== 'dora'
    ? []
    : adapter.targetModules.flatMap((module) => {
        const { inputSize, outputSize } = linearShape(setting.model, module);
        return [
          gemm(setting, 'adapter', { m: outputSize, n: inputSize, k: adapter.rank }),
          elementwise(setting, 'add', inputSize * outputSize, 3),
        ];
      });

/** Modules that some adapter of a shape changes. */
export const adaptedModules = (setting: WorkSetting, shape: MicrobatchShape): readonly ModuleName[] =>
  MODULE_NAMES.filter((module) => adaptedParts(setting, module, shape).length > 0);

const adaptedParts = (setting: WorkSetting, module: ModuleName, shape: MicrobatchShape) =>
  shape.parts
    .map((part: ShapePart) => ({ adapter: adapterOf(setting, part), tokens: part.tokens }))
    .filter(({ adapter }) => adapter.targetModules.includes(module));
