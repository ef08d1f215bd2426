import { fcnnlsVector } from 'ml-fcnnls';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import { GIGA } from '../../../core/units.ts';
import { GPU_PROFILES } from '../../../sim/profiles/gpu-profiles.ts';
import type { Observation } from '../data-set.ts';
import { costOnDevice, evenShape, peakBytes } from '../one-device.ts';

export interface BatchSize {
  readonly rows: number;
  readonly length: number;
}

/** Mem = β₀ + β₁·B·L + β₂·B·L², in GB (paper section 3.4). */
export type MemoryLaw = readonly [constant: number, perToken: number, perSquaredToken: number];

const ADAPTER = { type: 'lora', rank: 16, alpha: 32, dropout: 0, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] } as const;
const STAGE = { device: 0, firstLayer: 8, endLayer: 16 };
const MODEL_END = { device: 0, firstLayer: 31, endLayer: 32 };

/** Peak of our ledger for one job on an inner stage of 7B (8 of 32 layers, fp32, score matrix kept). */
export const ledgerGB = ({ rows, length }: BatchSize): number => {
  const cost = costOnDevice({
    gpu: 'RTX A6000',
    profile: GPU_PROFILES.get('RTX A6000')!,
    model: MODEL_PRESETS.get('Llama-2-7B')!,
    adapters: [ADAPTER],
    precision: 'fp32',
    stages: [STAGE, MODEL_END],
  });
  return peakBytes(cost, evenShape(1, rows, length)) / GIGA;
};

const terms = ({ rows, length }: BatchSize): number[] => [1, rows * length, rows * length * length];

export const evaluateLaw = (law: MemoryLaw, size: BatchSize): number =>
  terms(size).reduce((sum, term, index) => sum + term * law[index]!, 0);

/** Non-negative least squares of relative errors; columns are scaled to their largest entry. */
export const fitLaw = (observations: readonly Observation<BatchSize, 'memoryGB'>[]): MemoryLaw => {
  const equations = observations.map(({ input, measured: { memoryGB } }) => terms(input).map((term) => term / memoryGB!));
  const scales = [0, 1, 2].map((column) => Math.max(...equations.map((row) => row[column]!)));
  const { K } = fcnnlsVector(
    equations.map((row) => row.map((term, column) => term / scales[column]!)),
    equations.map(() => 1),
  );
  const [constant, perToken, perSquaredToken] = K.to1DArray().map((value, column) => value / scales[column]!) as [number, number, number];
  return [constant, perToken, perSquaredToken];
};
