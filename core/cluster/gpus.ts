import { bytes, GIGA, MEBI, TERA } from '../units.ts';
import type { Gpu } from './cluster.ts';

interface DataSheet {
  /** TFLOP/s, dense. */
  readonly fp32: number;
  readonly tf32: number;
  readonly bf16: number;
  readonly memoryMebibytes: number;
  /** GB/s. */
  readonly memoryBandwidth: number;
  readonly source: string;
}

/** The sheets give one rate for both 16-bit formats. */
const gpu = (name: string, sheet: DataSheet): Gpu => ({
  name,
  flopsPerSecond: {
    fp32: sheet.fp32 * TERA,
    tf32: sheet.tf32 * TERA,
    bf16: sheet.bf16 * TERA,
    fp16: sheet.bf16 * TERA,
  },
  memoryBytes: bytes(sheet.memoryMebibytes * MEBI),
  memoryBytesPerSecond: sheet.memoryBandwidth * GIGA,
  source: sheet.source,
});

/** Memory is what programs can see, a little less or more than the sheet's round figure. */
const MEMORY = 'memory as nvidia-smi reports it';
const SHEET = `NVIDIA data sheet (rates as collected in stas00/ml-engineering 744d01e); ${MEMORY}`;
const ECC = `${SHEET}, error correction on`;
const UNVERIFIED = `recalled figures, to be verified against NVIDIA's data sheet; ${MEMORY}`;

const TENSORFLOW_WASM_FLOPS = 24 * GIGA;

/**
 * One CPU core running TensorFlow.js' wasm backend. 24 GFLOP/s is the measured rate of large fp32 products; the
 * memory bandwidth is a rough value until calibrated; a 32-bit wasm memory ends at 65,536 pages of 64 KiB.
 */
const CPU_CORE: Gpu = {
  name: 'CPU core (TensorFlow.js wasm)',
  flopsPerSecond: {
    fp32: TENSORFLOW_WASM_FLOPS,
    tf32: TENSORFLOW_WASM_FLOPS,
    bf16: TENSORFLOW_WASM_FLOPS,
    fp16: TENSORFLOW_WASM_FLOPS,
  },
  memoryBytes: bytes(4096 * MEBI),
  memoryBytesPerSecond: 8 * GIGA,
  source: 'measured matrix products (23-25 GFLOP/s); memory bandwidth is a rough value until calibrated',
};

const DATA_SHEETS: Readonly<Record<string, DataSheet>> = {
  'RTX A6000': { fp32: 38.7, tf32: 77.4, bf16: 154.8, memoryMebibytes: 49_140, memoryBandwidth: 768, source: SHEET },
  'RTX 3090': { fp32: 35.6, tf32: 35.6, bf16: 71, memoryMebibytes: 24_576, memoryBandwidth: 936, source: UNVERIFIED },
  'RTX 4090': { fp32: 82.6, tf32: 82.6, bf16: 165, memoryMebibytes: 24_564, memoryBandwidth: 1008, source: UNVERIFIED },
  A40: { fp32: 37.4, tf32: 74.8, bf16: 149.7, memoryMebibytes: 46_068, memoryBandwidth: 696, source: ECC },
  'A100-40': { fp32: 19.5, tf32: 156, bf16: 312, memoryMebibytes: 40_960, memoryBandwidth: 1555, source: SHEET },
  'A100-80': { fp32: 19.5, tf32: 156, bf16: 312, memoryMebibytes: 81_920, memoryBandwidth: 2039, source: SHEET },
  H100: { fp32: 67, tf32: 494.5, bf16: 989, memoryMebibytes: 81_559, memoryBandwidth: 3350, source: SHEET },
  H200: { fp32: 67, tf32: 494.5, bf16: 989, memoryMebibytes: 143_771, memoryBandwidth: 4800, source: SHEET },
  L40S: { fp32: 91.6, tf32: 183, bf16: 362, memoryMebibytes: 46_068, memoryBandwidth: 864, source: ECC },
  B200: { fp32: 80, tf32: 1125, bf16: 2250, memoryMebibytes: 183_359, memoryBandwidth: 8000, source: SHEET },
};

/** Processors known by name. */
export const GPU_PRESETS: ReadonlyMap<string, Gpu> = new Map([
  ...Object.entries(DATA_SHEETS).map(([name, sheet]) => [name, gpu(name, sheet)] as const),
  ['cpu-wasm', CPU_CORE] as const,
]);
