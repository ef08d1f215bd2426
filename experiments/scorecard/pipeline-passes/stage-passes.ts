/**
 * The published pass times are one number for eight stages, but the stages are unequal: the first and the last hold one
 * layer fewer, and the last one the LM head. Taken as means over the stages, they give each stage its own times.
 */
import { GPU_PRESETS } from '../../../core/cluster/gpus.ts';
import { ADAM_STEP_BYTES } from '../adam-step.ts';
import type { PipelinePasses } from './rows.ts';

/** Shape of a model: table 3 of the source; 12 · layers · width² + vocabulary · width gives the 1.5B and 6.2B of their names. */
interface ModelShape {
  readonly layers: number;
  readonly width: number;
}

const MODELS: Readonly<Record<string, ModelShape>> = {
  '1.5B': { layers: 22, width: 2304 },
  '6.2B': { layers: 30, width: 4096 },
};

const ROW_TOKENS = 1024;
/** GPT-2's; the source does not say. */
const VOCABULARY = 50_257;
/**
 * Median of the products of 2,048 and 4,096 tokens with matrices of 8,192 × 44,032 to 57,344 on an A100 in Vidur's public
 * profiles (MIT): 75 % of the data sheet's 312 TFLOP/s. Measured there, not fitted here.
 */
const WIDE_PRODUCT_FLOPS = 234e12;
/** Copies commonly reach 75-90 % of the data sheet. */
const MEMORY_SHARE = 0.8;
const MEMORY_BYTES_PER_SECOND = MEMORY_SHARE * GPU_PRESETS.get('A100-80')!.memoryBytesPerSecond;

/** Milliseconds of one pass on each stage, given their mean; the LM head costs the same in all three passes. */
export const stagePassMs = (passes: PipelinePasses, meanMs: number): number[] => {
  const { layers } = modelOf(passes);
  const headMs = headPassMs(passes);
  const layerMs = (passes.stages * meanMs - headMs) / layers;
  return Array.from({ length: passes.stages }, (_, stage) => layersOf(passes, stage) * layerMs + (stage === passes.stages - 1 ? headMs : 0));
};

/** Milliseconds of the optimizer step of an average stage. */
export const stepMs = (passes: PipelinePasses): number => {
  const { layers, width } = modelOf(passes);
  const parameters = (12 * layers * width ** 2 + VOCABULARY * width) / passes.stages;
  return (1e3 * ADAM_STEP_BYTES * parameters) / MEMORY_BYTES_PER_SECOND;
};

const modelOf = ({ model }: PipelinePasses): ModelShape => MODELS[model]!;

const headPassMs = (passes: PipelinePasses): number =>
  (1e3 * 2 * modelOf(passes).width * VOCABULARY * ROW_TOKENS * passes.microbatchRows) / WIDE_PRODUCT_FLOPS;

/** The source takes a layer off the first and the last stage. */
const layersOf = (passes: PipelinePasses, stage: number): number => {
  const inner = (modelOf(passes).layers + 2) / passes.stages;
  return stage === 0 || stage === passes.stages - 1 ? inner - 1 : inner;
};
