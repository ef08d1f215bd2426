import type { Gpu, Precision } from '../core/cluster/cluster.ts';
import { GPU_PRESETS } from '../core/cluster/gpus.ts';
import { GIGA, NS_PER_US } from '../core/units.ts';
import type { WorkSetting } from '../core/work/setting.ts';
import type { WorkFeature } from './work-features.ts';

/** A number of a device profile and how far it can be trusted. */
export interface Figure {
  readonly value: number;
  readonly origin: 'measured' | 'fitted' | 'guess';
  /** What was measured, which rows it was fitted on, or why it was guessed. */
  readonly source: string;
}

/** How long a device takes for its work. */
export type DeviceProfile = RooflineProfile | CalibratedProfile;

/** A processor that runs kernels inside the launching call: times add up. Fitted to measured ops by `mlora calibrate`. */
export interface CalibratedProfile {
  readonly kind: 'calibrated';
  readonly name: string;
  /** Nanoseconds per unit of each feature of an op's work. */
  readonly nsPer: Readonly<Record<WorkFeature, Figure>>;
  readonly contextBytes: Figure;
  /** Transfers between devices of one machine; null where none was measured, and the cluster's own figures hold. */
  readonly link: { readonly latencyNs: Figure; readonly nsPerByte: Figure } | null;
}

/** How a device falls short of its data sheet. Efficiencies are shares of the sheet's peak, between 0 and 1. */
export interface RooflineProfile {
  readonly kind: 'roofline';
  readonly name: string;
  /** Whose kernels are counted. */
  readonly elementwise: WorkSetting['elementwise'];
  /** Of products with a frozen weight or an adapter's factor. */
  readonly gemmEfficiency: Readonly<Record<Precision, Figure>>;
  /** Of the products inside attention. */
  readonly attentionEfficiency: Readonly<Record<Precision, Figure>>;
  /** Of the memory bandwidth, in memory-bound kernels. */
  readonly memoryEfficiency: Figure;
  /** Time no kernel stays under, however small. */
  readonly minimumKernelNs: Figure;
  /** `asynchronous`: the host launches ahead of the device; `synchronous`: every launch delays the device. */
  readonly launch: { readonly kind: 'asynchronous' | 'synchronous'; readonly perKernelNs: Figure };
  /** Memory of the runtime itself. */
  readonly contextBytes: Figure;
}

const guess = (value: number, source: string): Figure => ({ value, origin: 'guess', source });
const measured = (value: number, source: string): Figure => ({ value, origin: 'measured', source });
const fitted = (value: number, source: string): Figure => ({ value, origin: 'fitted', source });

const TENSOR_CORE = guess(0.7, 'low end of the 65-87 % of peak that measured 16-bit products reach beyond 512 tokens');
const TENSOR_FLOAT = guess(0.6, 'no open table of TF32 products by shape exists');
/**
 * The slowest stage of 7B (8 layers and the LM head) then needs 433 ms for 1,024 tokens: 2,363 tokens/s where the paper
 * has 2,363.89, which is 16.1 TFLOP/s or 42 % of peak over products and memory-bound kernels together.
 */
const FP32 = fitted(0.5, 'LoRAPP, four adapters, 7B on four RTX A6000: 2363.89 tokens/s (arXiv 2312.02515, Fig. 12b)');

/** Any GPU, until its own tables are measured. */
export const GPU_PROFILE: RooflineProfile = {
  kind: 'roofline',
  name: 'GPU',
  elementwise: 'eager',
  gemmEfficiency: { fp32: FP32, tf32: TENSOR_FLOAT, bf16: TENSOR_CORE, fp16: TENSOR_CORE },
  attentionEfficiency: { fp32: FP32, tf32: TENSOR_FLOAT, bf16: TENSOR_CORE, fp16: TENSOR_CORE },
  memoryEfficiency: guess(0.8, 'copies commonly reach 75-90 % of the data sheet'),
  minimumKernelNs: guess(2 * NS_PER_US, 'smallest times in Vidur’s public elementwise tables for A40, A100, H100'),
  launch: {
    kind: 'asynchronous',
    perKernelNs: guess(7 * NS_PER_US, 'middle of the 5-10 µs typical of eager PyTorch kernels'),
  },
  contextBytes: guess(1 * GIGA, 'middle of 0.5-1.5 GB for CUDA context and workspaces'),
};

const WASM_GEMM = measured(1, 'the rate in the processor’s description is that of large wasm products');
const WASM_ATTENTION = guess(0.5, 'products of one head are small and need copies around them');

/** One core under TensorFlow.js' wasm backend: kernels run inside the launching call. */
export const WASM_PROFILE: RooflineProfile = {
  kind: 'roofline',
  name: 'TensorFlow.js wasm',
  elementwise: 'tfjs',
  gemmEfficiency: { fp32: WASM_GEMM, tf32: WASM_GEMM, bf16: WASM_GEMM, fp16: WASM_GEMM },
  attentionEfficiency: { fp32: WASM_ATTENTION, tf32: WASM_ATTENTION, bf16: WASM_ATTENTION, fp16: WASM_ATTENTION },
  memoryEfficiency: guess(1, 'the bandwidth in the processor’s description is itself a rough value'),
  minimumKernelNs: guess(0, 'contained in the launch'),
  launch: { kind: 'synchronous', perKernelNs: guess(10 * NS_PER_US, 'a TensorFlow.js op costs about 10 µs of JavaScript') },
  contextBytes: guess(0, 'the wasm heap starts small'),
};

/** Whose kernels a profile times: ours, where it was fitted to our own runs. */
export const kernelsOf = (profile: DeviceProfile): WorkSetting['elementwise'] =>
  profile.kind === 'calibrated' ? 'tfjs' : profile.elementwise;

/** The profile of a processor of the presets or of an experiment file. */
export const profileOf = (gpu: Gpu): DeviceProfile =>
  gpu.name === GPU_PRESETS.get('cpu-wasm')?.name ? WASM_PROFILE : GPU_PROFILE;
