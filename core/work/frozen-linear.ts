/**
 * Products with the frozen weight of a linear module, in the form in which the weight is held.
 *
 * `int8` is LLM.int8 (Dettmers et al. 2022) as bitsandbytes' MatMul8bitLt computes it: forward quantises the rows of the
 * input, multiplies int8 by int8, scales the int32 result and adds the outlier columns in 16 bit; backward multiplies by
 * the weight dequantised to the *activations'* type. `nf4` is QLoRA (Dettmers et al. 2023): the weight is dequantised
 * before each product. Either way embedding, LM head and norms keep the run's precision.
 */
import { linearShape, MODULE_NAMES } from '../model/model.ts';
import { gemm, type GemmSize } from './gemm.ts';
import type { ElementwiseKernel, Kernel } from './kernel.ts';
import type { StageContent, WorkSetting } from './setting.ts';

/** How linear modules hold their frozen weights; `full` is the run's precision. */
export const BASE_WEIGHTS = ['full', 'int8', 'nf4'] as const;
export type BaseWeights = (typeof BASE_WEIGHTS)[number];

const HALF = 2;
const FLOAT = 4;
/** Elements that share one scale in nf4, and scales that share one of their own (QLoRA, section 3: 0.127 bit a parameter). */
const NF4_BLOCK = 64;
const NF4_SCALE_BLOCK = 256;
const NF4_BYTES = 1 / 2 + 1 / NF4_BLOCK + FLOAT / (NF4_BLOCK * NF4_SCALE_BLOCK);

/** x·W of m tokens through a weight of n outputs and k inputs. */
export const frozenForward = (setting: WorkSetting, size: GemmSize): Kernel[] => {
  switch (setting.baseWeights ?? 'full') {
    case 'full':
      return [gemm(setting, 'frozen', size)];
    case 'int8':
      return int8Forward(setting, size);
    case 'nf4':
      return [dequantiseNf4(setting, size), gemm(setting, 'frozen', size)];
  }
};

/** ∇h·Wᵀ: `n` is the width of the input gradient, `k` that of the output's. */
export const frozenBackward = (setting: WorkSetting, size: GemmSize): Kernel[] => {
  switch (setting.baseWeights ?? 'full') {
    case 'full':
      return [gemm(setting, 'frozen', size)];
    case 'int8':
      return [dequantiseInt8(setting, size), gemm(setting, 'frozen', size)];
    case 'nf4':
      return [dequantiseNf4(setting, size), gemm(setting, 'frozen', size)];
  }
};

/**
 * Input: a cast to 16 bit where it is wider, row and column maxima (read), quantisation both ways (read 2, write 1 + 1),
 * layout transform (1 + 1). Output: int32 to 16 bit with its scales (4 + 2), the outliers' product and its addition
 * (2 + 6), a cast back.
 */
const int8Forward = (setting: WorkSetting, { m, n, k }: GemmSize): Kernel[] => {
  const isWide = setting.elementBytes > HALF;
  const cast = isWide ? HALF + FLOAT : 0;
  return [
    moved(m * k * (cast + HALF + 4 + 2), isWide ? 5 : 4),
    { kind: 'gemm', weight: 'frozen', m, n, k, bytes: m * k + n * k + FLOAT * m * n, count: 1, arithmetic: 'int8' },
    moved(m * n * (FLOAT + HALF + 4 * HALF + cast), isWide ? 4 : 3),
  ];
};

/** A copy in the activations' type, then its scaling in place. */
const dequantiseInt8 = ({ elementBytes }: WorkSetting, { n, k }: GemmSize): ElementwiseKernel =>
  moved(n * k * (1 + elementBytes + 2 * elementBytes), 3);

/** The scales are dequantised first. */
const dequantiseNf4 = ({ elementBytes }: WorkSetting, { n, k }: GemmSize): ElementwiseKernel =>
  moved(n * k * (NF4_BYTES + (2 * FLOAT) / NF4_BLOCK + elementBytes), 2);

const moved = (bytes: number, count: number): ElementwiseKernel => ({ kind: 'elementwise', form: 'plain', bytes, count });

/** Bytes of all linear modules of one layer as they are held; int8 has an fp32 scale for each output. */
export const frozenLinearBytes = (setting: WorkSetting): number =>
  MODULE_NAMES.map((module) => linearShape(setting.model, module)).reduce((sum, { inputSize, outputSize }) => {
    const parameters = inputSize * outputSize;
    switch (setting.baseWeights ?? 'full') {
      case 'full':
        return sum + parameters * setting.elementBytes;
      case 'int8':
        return sum + parameters + FLOAT * outputSize;
      case 'nf4':
        return sum + parameters * NF4_BYTES;
    }
  }, 0);

/** The buffer that holds one dequantised weight: the largest of a layer, used again for every other one. */
export const dequantisedBytes = (setting: WorkSetting, content: StageContent): number => {
  if ((setting.baseWeights ?? 'full') === 'full' || content.layerCount === 0) return 0;
  const sizes = MODULE_NAMES.map((module) => linearShape(setting.model, module)).map((shape) => shape.inputSize * shape.outputSize);
  return setting.elementBytes * Math.max(...sizes);
};

/**
 * Alive while an int8 product runs: three quantised copies of its input beside the 16-bit one, the int32 and the 16-bit
 * result. Largest module of a layer, `tokens` rows.
 */
export const quantisedProductBytes = ({ model, baseWeights }: WorkSetting, tokens: number): number =>
  baseWeights !== 'int8'
    ? 0
    : tokens *
      Math.max(
        ...MODULE_NAMES.map((module) => linearShape(model, module)).map(
          ({ inputSize, outputSize }) => (HALF + 3) * inputSize + (FLOAT + HALF) * outputSize,
        ),
      );
