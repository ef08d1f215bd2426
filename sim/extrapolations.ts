import type { Gpu } from '../core/cluster/cluster.ts';
import type { MicrobatchShape } from '../core/plan/plan.ts';
import { shapeSize, stageContents } from '../core/work/setting.ts';
import { forwardWork } from '../core/work/stage.ts';
import type { Gemm } from '../core/work/kernel.ts';
import { settingOf, type AnalyticCostOptions } from './device-times.ts';
import type { RooflineProfile } from './device-profile.ts';
import { gemmRows, type GemmTable } from './kernel-tables.ts';
import { profileOf as defaultProfileOf } from './profiles/gpu-profiles.ts';

/**
 * Where predicted products lie outside the measured ones, and what was used instead: one sentence each. `shapes` are the
 * microbatches of the plan.
 */
export const findExtrapolations = (options: AnalyticCostOptions, shapes: readonly MicrobatchShape[]): string[] => {
  const gpus = new Set(options.stages.map(({ device }) => options.cluster.devices[device]!.gpu));
  return [...gpus].flatMap((gpu) => extrapolationsOn(gpu, options, shapes));
};

const extrapolationsOn = (gpu: Gpu, options: AnalyticCostOptions, shapes: readonly MicrobatchShape[]): string[] => {
  const profile = (options.profileOf ?? defaultProfileOf)(gpu);
  if (profile.kind !== 'roofline' || shapes.length === 0) return [];
  const table = profile.gemmTable;
  const { precision } = options;
  if (table === undefined || (precision !== 'bf16' && precision !== 'fp16')) return constantShare(gpu, profile, options);
  const products = largestProducts(profile, options, shapes);
  return [...beyondTokens(gpu, table, products), ...farWeights(gpu, table, products)];
};

/** Products priced by one number somebody guessed. */
const constantShare = ({ name }: Gpu, { gemmEfficiency, elementwise }: RooflineProfile, { precision }: AnalyticCostOptions): string[] => {
  const { value, origin, source } = gemmEfficiency[precision];
  return origin === 'guess' && elementwise !== 'tfjs'
    ? [`${name}: no measured ${precision} products; all take ${100 * value} % of peak (${source})`]
    : [];
};

/** Products with frozen weights in the forward of the microbatch with the most tokens; other microbatches' are smaller. */
const largestProducts = (profile: RooflineProfile, options: AnalyticCostOptions, shapes: readonly MicrobatchShape[]): Gemm[] => {
  const largest = shapes.reduce((most, shape) => (shapeSize(shape).tokens > shapeSize(most).tokens ? shape : most));
  const setting = settingOf(options, profile);
  return stageContents(options.stages)
    .flatMap((content) => forwardWork(setting, { ...content, layerCount: Math.min(1, content.layerCount) }, largest))
    .filter((kernel): kernel is Gemm => kernel.kind === 'gemm' && kernel.weight === 'frozen' && kernel.arithmetic !== 'int8');
};

const beyondTokens = ({ name }: Gpu, { tokens }: GemmTable, products: readonly Gemm[]): string[] => {
  const most = Math.max(0, ...products.map(({ m }) => m));
  const last = tokens.at(-1)!;
  return most > last ? [`${name}: products of ${most} tokens run at the rate measured for ${last}, the most in the table`] : [];
};

const farWeights = ({ name }: Gpu, table: GemmTable, products: readonly Gemm[]): string[] => {
  const rowOf = gemmRows(table);
  const sentences = products.flatMap(({ n, k }) => {
    const { coverage } = rowOf(n, k);
    if (coverage === 'measured') return [];
    return coverage === 'none'
      ? [`${name}: products with a ${k} × ${n} weight, narrower than any measured, take a constant share of peak`]
      : [`${name}: products with a ${k} × ${n} weight run at the rate of the nearest measured ones, none within a factor of two`];
  });
  return [...new Set(sentences)];
};
