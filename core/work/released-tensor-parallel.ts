/**
 * Tensor parallelism as in the code released with the mLoRA paper (benchmarks/bench_peft_tp.py: PyTorch's `ColwiseParallel` and
 * `RowwiseParallel` on the modules of PEFT). Every module is parallel by itself, so each pays for its own input gradient,
 * where Megatron sums that of q, k and v, or of gate and up, once. Embedding and LM head are whole on every rank.
 *
 * | a layer | forward | backward |
 * |---|---|---|
 * | outputs cut (q, k, v, gate, up) | – | sum of the input gradient |
 * | inputs cut (o, down) | sum of the output | – |
 * | LoRA on cut outputs | rank-wide sum behind A | rank-wide sum before B; gather of A's input gradient |
 * | LoRA on cut inputs | gather of A's input; sum of B's output | scatter of A's input gradient |
 *
 * They are started asynchronously: in backward those that nothing needs before the next product run beside it.
 */
import type { CollectiveCost } from '../cost-model.ts';
import { linearShape, MODULE_NAMES, type ModuleName } from '../model/model.ts';
import type { MicrobatchShape } from '../plan/plan.ts';
import { frozenBackward } from './frozen-linear.ts';
import type { Kernel } from './kernel.ts';
import { hiddenBytes } from './memory.ts';
import { adapterOf, shapeSize, type StageContent, type WorkSetting } from './setting.ts';
import type { TensorParallel } from './sharing.ts';

const CUT_INPUTS: readonly ModuleName[] = ['o_proj', 'down_proj'];
const hasCutInputs = (module: ModuleName): boolean => CUT_INPUTS.includes(module);
const CUT_OUTPUTS = MODULE_NAMES.filter((module) => !hasCutInputs(module));
/** They make input gradients for whatever is below the layer; in the model's lowest layer nothing is. */
const READ_THE_LAYER_INPUT: readonly ModuleName[] = ['q_proj', 'k_proj', 'v_proj'];

/** Of an all-reduce of the same tensor: a gather or a scatter takes half the steps and moves half the bytes. */
const HALF = 1 / 2;

/** Collectives of one layer as so many all-reduces of so many elements in all. */
interface Sums {
  readonly calls: number;
  readonly elements: number;
}

const sum = (calls: number, elements: number): Sums => ({ calls, elements: calls * elements });
const total = (sums: readonly Sums[]): Sums =>
  sums.reduce((all, { calls, elements }) => ({ calls: all.calls + calls, elements: all.elements + elements }), sum(0, 0));

interface Around {
  readonly shape: MicrobatchShape;
  readonly isForward: boolean;
}

export const releasedSums = (setting: WorkSetting, content: StageContent, sharing: TensorParallel, { shape, isForward }: Around): CollectiveCost => {
  const lowest = !isForward && content.embedding ? Math.min(1, content.layerCount) : 0;
  const layer = (isLowest: boolean): Sums => (isForward ? layerForward(setting, sharing, shape) : layerBackward(setting, sharing, shape, isLowest));
  const layers = [...Array.from({ length: lowest }, () => layer(true)), ...Array.from({ length: content.layerCount - lowest }, () => layer(false))];
  const { calls, elements } = total(layers);
  return { bytes: elements * setting.elementBytes, calls, bufferBytes: hiddenBytes(setting, shape) };
};

const layerForward = (setting: WorkSetting, sharing: TensorParallel, shape: MicrobatchShape): Sums => {
  const { hiddenSize } = setting.model;
  return total([
    sum(CUT_INPUTS.length, shapeSize(shape).tokens * hiddenSize),
    ...adaptedModules(setting, shape).flatMap(({ module, tokens, rank }) =>
      hasCutInputs(module) ? [sum(HALF, tokens * inputWidth(setting, sharing, module)), sum(1, tokens * hiddenSize)] : [sum(1, tokens * rank)],
    ),
  ]);
};

const layerBackward = (setting: WorkSetting, sharing: TensorParallel, shape: MicrobatchShape, isLowest: boolean): Sums => {
  const { hiddenSize } = setting.model;
  const isLeft = (module: ModuleName): boolean => !isLowest || !READ_THE_LAYER_INPUT.includes(module);
  return total([
    sum(CUT_OUTPUTS.filter(isLeft).length, shapeSize(shape).tokens * hiddenSize),
    ...adaptedModules(setting, shape).flatMap(({ module, tokens, rank }) => [
      ...(hasCutInputs(module) ? [] : [sum(1, tokens * rank)]),
      ...(isLeft(module) ? [sum(HALF, tokens * inputWidth(setting, sharing, module))] : []),
    ]),
  ]);
};

/** Bytes of the inputs that adapters on cut inputs gather, and keep for their weight gradients. */
export const gatheredInputBytes = (setting: WorkSetting, { layerCount, recompute }: StageContent, sharing: TensorParallel, shape: MicrobatchShape): number =>
  recompute === true
    ? 0
    : adaptedModules(setting, shape)
        .filter(({ module }) => hasCutInputs(module))
        .reduce((bytes, { module, tokens }) => bytes + layerCount * tokens * inputWidth(setting, sharing, module) * setting.elementBytes, 0);

/** Collectives of a backward that run beside a product, in each of so many layers. */
export interface SumsBeside {
  readonly layers: number;
  readonly calls: number;
  readonly bytes: number;
  readonly products: readonly Kernel[];
}

/** What a lora_A sends back goes beside its own module's frozen product, the sum of up_proj's input gradient beside that of gate_proj. */
export const sumsBesideProducts = (setting: WorkSetting, { layerCount, embedding }: StageContent, sharing: TensorParallel, shape: MicrobatchShape): SumsBeside[] => {
  const { tokens } = shapeSize(shape);
  const product = (module: ModuleName): Kernel[] => {
    const { inputSize, outputSize } = linearShape(setting.model, module);
    return frozenBackward(setting, { m: tokens, n: inputSize, k: outputSize });
  };
  const adapted = adaptedModules(setting, shape);
  const ofAdapters = MODULE_NAMES.map((module): SumsBeside => {
    const own = adapted.filter((each) => each.module === module);
    const elements = own.reduce((all, each) => all + each.tokens * inputWidth(setting, sharing, module), 0);
    const isBelowAll = embedding && READ_THE_LAYER_INPUT.includes(module);
    return { layers: Math.max(0, layerCount - Number(isBelowAll)), calls: HALF * own.length, bytes: HALF * elements * setting.elementBytes, products: product(module) };
  });
  return [...ofAdapters.filter(({ bytes }) => bytes > 0), { layers: layerCount, calls: 1, bytes: hiddenBytes(setting, shape), products: product('gate_proj') }];
};

const adaptedModules = (setting: WorkSetting, { parts }: MicrobatchShape) =>
  parts.flatMap((part) => {
    const { rank, targetModules } = adapterOf(setting, part);
    return targetModules.map((module) => ({ module, tokens: part.tokens, rank }));
  });

/** Of the whole module; the setting's model is one rank's share. */
const inputWidth = ({ model }: WorkSetting, { ranks }: TensorParallel, module: ModuleName): number =>
  linearShape(model, module).inputSize * (hasCutInputs(module) ? ranks : 1);
