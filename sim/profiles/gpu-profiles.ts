import type { Gpu } from '../../core/cluster/cluster.ts';
import { GPU_PRESETS } from '../../core/cluster/gpus.ts';
import { GIGA, NS_PER_MS, NS_PER_US } from '../../core/units.ts';
import { fitted, guess, measured, type DeviceProfile, type RooflineProfile } from '../device-profile.ts';
import { A100_ELEMENTWISE, A100_GEMM } from './a100.ts';
import { A40_ELEMENTWISE, A40_GEMM } from './a40.ts';
import { H100_ELEMENTWISE, H100_GEMM } from './h100.ts';

const TENSOR_CORE = guess(0.7, 'low end of the 65-87 % of peak that measured 16-bit products reach beyond 512 tokens');
const TENSOR_FLOAT = guess(0.6, 'no open table of TF32 products by shape exists');
/**
 * The slowest stage of 7B (8 layers and the LM head) then computes for 410 ms on 1,024 tokens, 75 % of the 546 ms that a
 * step takes without overlap: 17.0 TFLOP/s over products and memory-bound kernels together.
 */
const FP32 = fitted(0.5416, 'arXiv 2312.02515, Fig. 10: LoRAPP without overlap, 7B on four RTX A6000 (scorecard paper-fp32)');
const FLASH = guess(0.55, 'FlashAttention-2 reaches 50-73 % of an A100’s peak (Dao 2023, Fig. 4-7); less backward');

/** Any GPU whose own kernels nobody has measured. */
export const GPU_PROFILE: RooflineProfile = {
  kind: 'roofline',
  name: 'GPU',
  elementwise: 'eager',
  gemmEfficiency: { fp32: FP32, tf32: TENSOR_FLOAT, bf16: TENSOR_CORE, fp16: TENSOR_CORE },
  int8Efficiency: fitted(0.4364, 'arXiv 2312.02515, Fig. 15c: PEFT, 7B in int8 on an RTX A6000 (scorecard paper-single-gpu)'),
  adapterEfficiency: fitted(0.4092, 'LoRA layers of Llama-3.1-8B on an H100, LoRAFusion’s profiles (scorecard lora-layers)'),
  attentionEfficiency: { fp32: FP32, tf32: TENSOR_FLOAT, bf16: TENSOR_CORE, fp16: TENSOR_CORE },
  flashEfficiency: { fp32: FP32, tf32: FP32, bf16: FLASH, fp16: FLASH },
  memoryEfficiency: guess(0.8, 'copies commonly reach 75-90 % of the data sheet'),
  minimumKernelNs: guess(2 * NS_PER_US, 'smallest times in Vidur’s public elementwise tables for A40, A100, H100'),
  kernelGapNs: fitted(2277, 'LoRA layers of Llama-3.1-8B on an H100 in CUDA graphs, LoRAFusion’s profiles (scorecard lora-layers)'),
  launch: {
    kind: 'asynchronous',
    perKernelNs: guess(7 * NS_PER_US, 'middle of the 5-10 µs typical of eager PyTorch kernels'),
  },
  perPassNs: guess(0, 'a program that hides its own work behind the device'),
  contextBytes: guess(1 * GIGA, 'middle of 0.5-1.5 GB for CUDA context and workspaces'),
};

const WASM_GEMM = measured(1, 'the rate in the processor’s description is that of large wasm products');
const WASM_ATTENTION = guess(0.5, 'products of one head are small and need copies around them');
const WASM_ATTENTIONS = { fp32: WASM_ATTENTION, tf32: WASM_ATTENTION, bf16: WASM_ATTENTION, fp16: WASM_ATTENTION };

/** One core under TensorFlow.js' wasm backend: kernels run inside the launching call. */
export const WASM_PROFILE: RooflineProfile = {
  kind: 'roofline',
  name: 'TensorFlow.js wasm',
  elementwise: 'tfjs',
  gemmEfficiency: { fp32: WASM_GEMM, tf32: WASM_GEMM, bf16: WASM_GEMM, fp16: WASM_GEMM },
  int8Efficiency: WASM_ATTENTION,
  adapterEfficiency: WASM_GEMM,
  attentionEfficiency: WASM_ATTENTIONS,
  flashEfficiency: WASM_ATTENTIONS,
  memoryEfficiency: guess(1, 'the bandwidth in the processor’s description is itself a rough value'),
  minimumKernelNs: guess(0, 'contained in the launch'),
  kernelGapNs: guess(0, 'contained in the launch'),
  launch: { kind: 'synchronous', perKernelNs: guess(10 * NS_PER_US, 'a TensorFlow.js op costs about 10 µs of JavaScript') },
  perPassNs: guess(0, 'contained in the launches'),
  contextBytes: guess(0, 'the wasm heap starts small'),
};

const measuredAs = (name: string, tables: Pick<RooflineProfile, 'gemmTable' | 'elementwiseTable'>): RooflineProfile => ({
  ...GPU_PROFILE,
  name,
  ...tables,
});

const A40_TABLES = { gemmTable: A40_GEMM, elementwiseTable: A40_ELEMENTWISE };
const A100_TABLES = { gemmTable: A100_GEMM, elementwiseTable: A100_ELEMENTWISE };
const H100_TABLES = { gemmTable: H100_GEMM, elementwiseTable: H100_ELEMENTWISE };

/** Profiles by the name of the GPU preset they are about; the A6000 and the 3090 are the A40's silicon (GA102). */
export const GPU_PROFILES: ReadonlyMap<string, RooflineProfile> = new Map(
  Object.entries({
    'RTX A6000': measuredAs('RTX A6000', A40_TABLES),
    'RTX 3090': measuredAs('RTX 3090', A40_TABLES),
    A40: measuredAs('A40', A40_TABLES),
    'A100-40': measuredAs('A100-40', A100_TABLES),
    'A100-80': measuredAs('A100-80', A100_TABLES),
    H100: measuredAs('H100', H100_TABLES),
    H200: measuredAs('H200', H100_TABLES),
    'cpu-wasm': WASM_PROFILE,
  }),
);

/**
 * The A6000 under the pipeline that was released with the mLoRA paper: what its messages cost beside overlap, half in a
 * forward and half in a backward. 7B steps take 433 ms with overlap where they compute for 410 ms.
 */
export const MLORA_RELEASED_PROFILE: RooflineProfile = {
  ...GPU_PROFILES.get('RTX A6000')!,
  name: 'RTX A6000 under mLoRA as released',
  perPassNs: fitted(11.79 * NS_PER_MS, 'arXiv 2312.02515, Fig. 10 and 12b: LoRAPP on 7B with and without overlap (scorecard paper-fp32)'),
};

const BY_GPU_NAME = new Map(
  [...GPU_PROFILES].map(([preset, profile]) => [GPU_PRESETS.get(preset)!.name, profile] as const),
);

/** The profile of a processor of the presets or of an experiment file. */
export const profileOf = (gpu: Gpu): DeviceProfile => BY_GPU_NAME.get(gpu.name) ?? GPU_PROFILE;
