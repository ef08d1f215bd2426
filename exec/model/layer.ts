import { type Tensor1D, type Tensor2D, add } from '@tensorflow/tfjs-core';
import type { ModuleName } from '../../core/model/model.ts';
import { scoped } from '../backend/scope.ts';
import { type LinearGroup, type LinearGroupSaved, backwardLinears, forwardLinears } from './adapted-linears.ts';
import { type AttentionSaved, backwardAttention, forwardAttention } from './attention.ts';
import type { BatchContext } from './batch-context.ts';
import type { FrozenLinear } from './frozen-linear.ts';
import { type RmsNormSaved, backwardRmsNorm, forwardRmsNorm, recomputeRmsNorm } from './rms-norm.ts';
import { type SwigluSaved, backwardSwiglu, forwardSwiglu, recomputeSwiglu } from './swiglu.ts';

/** Frozen weights of one decoder layer; modules that read the same input are grouped. */
export interface LayerWeights {
  readonly inputNorm: Tensor1D;
  readonly attentionNorm: Tensor1D;
  readonly queryKeyValue: LinearGroup;
  readonly output: LinearGroup;
  readonly gateUp: LinearGroup;
  readonly down: LinearGroup;
  readonly normEpsilon: number;
}

/** The frozen map of a module. */
export const findFrozen = ({ queryKeyValue, output, gateUp, down }: LayerWeights, module: ModuleName): FrozenLinear =>
  [queryKeyValue, output, gateUp, down].flatMap(({ linears }) => linears).find((linear) => linear.module === module)!
    .frozen;

/** What a layer's backward needs. Cheap products are made again instead of being kept. */
export interface LayerSaved {
  readonly inputNorm: RmsNormSaved;
  readonly queryKeyValue: LinearGroupSaved;
  readonly attention: AttentionSaved;
  readonly context: Tensor2D;
  readonly output: LinearGroupSaved;
  readonly attentionNorm: RmsNormSaved;
  readonly gateUp: LinearGroupSaved;
  readonly swiglu: SwigluSaved;
  readonly down: LinearGroupSaved;
}

/** One decoder layer on `[tokens, hidden]`: x + attention(norm x), then + mlp(norm …). */
export const forwardLayer = (
  weights: LayerWeights,
  x: Tensor2D,
  batch: BatchContext,
): { output: Tensor2D; saved: LayerSaved } =>
  scoped(() => {
    const { parts } = batch;
    const normed = forwardRmsNorm(x, weights.inputNorm, weights.normEpsilon);
    const queryKeyValue = forwardLinears(weights.queryKeyValue, normed.output, parts);
    const [queries, keys, values] = queryKeyValue.outputs as [Tensor2D, Tensor2D, Tensor2D];
    const attention = forwardAttention(batch.attention, queries, keys, values);
    const output = forwardLinears(weights.output, attention.output, parts);
    const middle = add<Tensor2D>(x, output.outputs[0]!);

    const middleNormed = forwardRmsNorm(middle, weights.attentionNorm, weights.normEpsilon);
    const gateUp = forwardLinears(weights.gateUp, middleNormed.output, parts);
    const [gate, up] = gateUp.outputs as [Tensor2D, Tensor2D];
    const swiglu = forwardSwiglu(gate, up);
    const down = forwardLinears(weights.down, swiglu.output, parts);
    return {
      output: add<Tensor2D>(middle, down.outputs[0]!),
      saved: {
        inputNorm: normed.saved,
        queryKeyValue: queryKeyValue.saved,
        attention: attention.saved,
        context: attention.output,
        output: output.saved,
        attentionNorm: middleNormed.saved,
        gateUp: gateUp.saved,
        swiglu: swiglu.saved,
        down: down.saved,
      },
    };
  });

/**
 * Input gradient of the layer, or undefined if not asked for. Below the lowest adapter of the microbatch nothing is
 * computed: on the first layer of the model that saves the products into the embedding, and more if q, k, v have no adapter.
 */
export const backwardLayer = (
  weights: LayerWeights,
  saved: LayerSaved,
  gradient: Tensor2D,
  options: { readonly batch: BatchContext; readonly needsInput: boolean },
): Tensor2D | undefined =>
  scoped(() => {
    const { batch, needsInput } = options;
    const attentionIn = needsInput || targetsAny(batch, ['q_proj', 'k_proj', 'v_proj']);
    const attentionOut = attentionIn || targetsAny(batch, ['o_proj']);
    const middle = backwardMlp(weights, saved, gradient, { batch, needsInput: attentionOut });
    return middle && backwardAttentionBlock(weights, saved, middle, { batch, needsContext: attentionIn, needsInput });
  });

const targetsAny = ({ parts }: BatchContext, modules: readonly ModuleName[]): boolean =>
  parts.some(({ adapter }) => modules.some((module) => adapter.targets(module)));

const backwardMlp = (
  weights: LayerWeights,
  saved: LayerSaved,
  gradient: Tensor2D,
  { batch, needsInput }: { readonly batch: BatchContext; readonly needsInput: boolean },
): Tensor2D | undefined =>
  scoped(() => {
    const { parts } = batch;
    const activated = backwardLinears({
      group: weights.down,
      x: () => recomputeSwiglu(saved.swiglu),
      saved: saved.down,
      gradients: [gradient],
      parts,
      needsInput: needsInput || targetsAny(batch, ['gate_proj', 'up_proj']),
    });
    if (activated === undefined) return undefined;
    const { gate, up } = backwardSwiglu(saved.swiglu, activated);
    const normed = backwardLinears({
      group: weights.gateUp,
      x: () => recomputeRmsNorm(saved.attentionNorm, weights.attentionNorm),
      saved: saved.gateUp,
      gradients: [gate, up],
      parts,
      needsInput,
    });
    return normed && add<Tensor2D>(gradient, backwardRmsNorm(saved.attentionNorm, weights.attentionNorm, normed));
  });

const backwardAttentionBlock = (
  weights: LayerWeights,
  saved: LayerSaved,
  gradient: Tensor2D,
  options: { readonly batch: BatchContext; readonly needsContext: boolean; readonly needsInput: boolean },
): Tensor2D | undefined =>
  scoped(() => {
    const { batch, needsContext, needsInput } = options;
    const { parts } = batch;
    const context = backwardLinears({
      group: weights.output,
      x: () => saved.context,
      saved: saved.output,
      gradients: [gradient],
      parts,
      needsInput: needsContext,
    });
    if (context === undefined) return undefined;
    const { queries, keys, values } = backwardAttention(batch.attention, saved.attention, context);
    const normed = backwardLinears({
      group: weights.queryKeyValue,
      x: () => recomputeRmsNorm(saved.inputNorm, weights.inputNorm),
      saved: saved.queryKeyValue,
      gradients: [queries, keys, values],
      parts,
      needsInput,
    });
    return normed && add<Tensor2D>(gradient, backwardRmsNorm(saved.inputNorm, weights.inputNorm, normed));
  });
