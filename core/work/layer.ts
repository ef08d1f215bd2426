import { linearShape, type ModuleName } from '../model/model.ts';
import type { MicrobatchShape } from '../plan/plan.ts';
import { attentionBackward, attentionForward } from './attention.ts';
import { elementwise } from './elementwise.ts';
import { frozenBackward, frozenForward } from './frozen-linear.ts';
import type { Kernel } from './kernel.ts';
import { adaptedModules, loraBackward, loraForward, type BackwardHalf } from './lora.ts';
import { shapeSize, type WorkSetting } from './setting.ts';

/** Modules of a layer in the order data passes them; those of one row read the same input. */
const MODULE_ROWS = [['q_proj', 'k_proj', 'v_proj'], ['o_proj'], ['gate_proj', 'up_proj'], ['down_proj']] as const;

/**
 * Kernels of one decoder layer's forward: 2P + 4hs FLOP a token, P being its linear parameters and s the row
 * length (a third of PaLM's 6N + 12LHQT, Chowdhery et al. 2022, appendix B), and the adapters' 2r·Σ(in + out).
 */
export const layerForward = (setting: WorkSetting, shape: MicrobatchShape): Kernel[] => {
  const { hiddenSize, intermediateSize } = setting.model;
  const size = shapeSize(shape);
  const linear = (module: ModuleName): Kernel[] => [
    ...frozenProduct(setting, module, size.tokens),
    ...loraForward(setting, module, shape),
  ];
  return [
    elementwise(setting, 'norm', size.tokens * hiddenSize, 2),
    ...MODULE_ROWS.flat().flatMap(linear),
    elementwise(setting, 'rope', size.tokens * queryAndKeyWidth(setting)),
    attentionForward(setting, size),
    elementwise(setting, 'swiglu', size.tokens * intermediateSize),
    elementwise(setting, 'add', size.tokens * hiddenSize, 2),
  ];
};

/**
 * Kernels of one decoder layer's backward. The base is frozen, so its products give input gradients only: 2P + 8hs FLOP
 * a token; the adapters' give weight gradients too, twice their forward. Without `inputGradient` (the model's lowest
 * layer) everything below the lowest adapter is left out.
 */
export const layerBackward = (
  setting: WorkSetting,
  shape: MicrobatchShape,
  { inputGradient, half = 'both' }: { readonly inputGradient: boolean; readonly half?: BackwardHalf },
): Kernel[] => {
  if (half === 'weight') return MODULE_ROWS.flat().flatMap((module) => loraBackward(setting, module, shape, { inputGradient, half }));
  const { hiddenSize, intermediateSize } = setting.model;
  const size = shapeSize(shape);
  const adapted = adaptedModules(setting, shape);
  const lowest = MODULE_ROWS.findIndex((row) => row.some((module) => adapted.includes(module)));
  const reaches = (row: number): boolean => inputGradient || (lowest >= 0 && lowest < row);
  const linear = (row: number): Kernel[] => [
    ...MODULE_ROWS[row]!.flatMap((module) => loraBackward(setting, module, shape, { inputGradient: reaches(row), half })),
    ...(reaches(row) ? inputGradients(setting, MODULE_ROWS[row]!, size.tokens) : []),
  ];
  const normAndResidual = [
    elementwise(setting, 'normBackward', size.tokens * hiddenSize),
    elementwise(setting, 'add', size.tokens * hiddenSize),
  ];
  return [
    ...linear(3),
    ...(reaches(3) ? [elementwise(setting, 'swigluBackward', size.tokens * intermediateSize)] : []),
    ...linear(2),
    ...(reaches(2) ? normAndResidual : []),
    ...linear(1),
    ...(reaches(1)
      ? [
          attentionBackward(setting, size),
          elementwise(setting, 'ropeBackward', size.tokens * queryAndKeyWidth(setting)),
        ]
      : []),
    ...linear(0),
    ...(reaches(0) ? normAndResidual : []),
  ];
};

const frozenProduct = (setting: WorkSetting, module: ModuleName, tokens: number): Kernel[] => {
  const { inputSize, outputSize } = linearShape(setting.model, module);
  return frozenForward(setting, { m: tokens, n: outputSize, k: inputSize });
};

/** ∇x = ∇h·Wᵀ of modules that share their input, summed. */
const inputGradients = (setting: WorkSetting, modules: readonly ModuleName[], tokens: number): Kernel[] => {
  const products = modules.flatMap((module) => {
    const { inputSize, outputSize } = linearShape(setting.model, module);
    return frozenBackward(setting, { m: tokens, n: inputSize, k: outputSize });
  });
  const width = linearShape(setting.model, modules[0]!).inputSize;
  const sums = modules.length - 1;
  return sums === 0 ? products : [...products, elementwise(setting, 'add', tokens * width, sums)];
};

const queryAndKeyWidth = ({ model }: WorkSetting): number =>
  (model.headCount + model.keyValueHeadCount) * model.headSize;
