import type { Adapter } from '../job.ts';
import { linearShape, MODULE_NAMES, type ModuleName } from '../model/model.ts';
import type { MicrobatchShape, ShapePart } from '../plan/plan.ts';
import { elementwise } from './elementwise.ts';
import type { Gemm, Kernel } from './kernel.ts';
import { adapterOf, type WorkSetting } from './setting.ts';

/** A dense product on elements of the setting's size: both factors and the result move once. */
export const gemm = (
  setting: WorkSetting,
  weight: Gemm['weight'],
  { m, n, k }: { readonly m: number; readonly n: number; readonly k: number },
): Gemm => ({ kind: 'gemm', weight, m, n, k, bytes: setting.elementBytes * (m * k + k * n + m * n), count: 1 });

/** Low-rank products of every adapter of a shape on its own rows of one module: x·A, then ·B, added to the output. */
export const loraForward = (setting: WorkSetting, module: ModuleName, shape: MicrobatchShape): Kernel[] =>
  adaptedParts(setting, module, shape).flatMap(({ adapter, tokens }) => {
    const { inputSize, outputSize } = linearShape(setting.model, module);
    return [
      ...(adapter.dropout > 0 ? [elementwise(setting, 'dropout', tokens * inputSize)] : []),
      gemm(setting, 'adapter', { m: tokens, n: adapter.rank, k: inputSize }),
      gemm(setting, 'adapter', { m: tokens, n: outputSize, k: adapter.rank }),
      elementwise(setting, 'scaleAdd', tokens * outputSize),
    ];
  });

/**
 * Their gradients: ∇B = (xA)ᵀ∇h, ∇(xA) = ∇hBᵀ, ∇A = xᵀ∇(xA), and where the input gradient is wanted ∇(xA)Aᵀ, added in
 * place to the rows (paper section 3.3).
 */
export const loraBackward = (
  setting: WorkSetting,
  module: ModuleName,
  shape: MicrobatchShape,
  inputGradient: boolean,
): Kernel[] =>
  adaptedParts(setting, module, shape).flatMap(({ adapter, tokens }) => {
    const { inputSize, outputSize } = linearShape(setting.model, module);
    const { rank } = adapter;
    return [
      elementwise(setting, 'scaleAdd', tokens * rank),
      gemm(setting, 'adapter', { m: rank, n: outputSize, k: tokens }),
      gemm(setting, 'adapter', { m: tokens, n: rank, k: outputSize }),
      gemm(setting, 'adapter', { m: inputSize, n: rank, k: tokens }),
      elementwise(setting, 'add', rank * (inputSize + outputSize)),
      ...(inputGradient
        ? [
            gemm(setting, 'adapter', { m: tokens, n: inputSize, k: rank }),
            ...(adapter.dropout > 0 ? [elementwise(setting, 'dropout', tokens * inputSize)] : []),
            elementwise(setting, 'add', tokens * inputSize),
          ]
        : []),
    ];
  });

/** Parameters of one adapter in one layer: Σ rank · (input + output) over its target modules. */
export const adapterLayerParameters = (setting: Pick<WorkSetting, 'model'>, adapter: Adapter): number =>
  adapter.targetModules
    .map((module) => linearShape(setting.model, module))
    .reduce((sum, { inputSize, outputSize }) => sum + adapter.rank * (inputSize + outputSize), 0);

/** Modules that some adapter of a shape changes. */
export const adaptedModules = (setting: WorkSetting, shape: MicrobatchShape): readonly ModuleName[] =>
  MODULE_NAMES.filter((module) => adaptedParts(setting, module, shape).length > 0);

const adaptedParts = (setting: WorkSetting, module: ModuleName, shape: MicrobatchShape) =>
  shape.parts
    .map((part: ShapePart) => ({ adapter: adapterOf(setting, part), tokens: part.tokens }))
    .filter(({ adapter }) => adapter.targetModules.includes(module));
