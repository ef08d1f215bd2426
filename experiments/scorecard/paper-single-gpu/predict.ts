import type { Precision } from '../../../core/cluster/cluster.ts';
import type { CostModel } from '../../../core/cost-model.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import { GIGA, NS_PER_S } from '../../../core/units.ts';
import type { RooflineProfile } from '../../../sim/device-profile.ts';
import { GPU_PROFILES } from '../../../sim/profiles/gpu-profiles.ts';
import type { Observation } from '../data-set.ts';
import { bestFactor, bestOffset, costOnDevice, evenShape, fittedFigure, leastAt, pairsOf, peakBytes, squaredErrors, wholeModel } from '../one-device.ts';

export interface SingleGpuRun {
  /** PEFT trains its adapters one after the other, BatchLoRA all in one batch. */
  readonly system: 'PEFT' | 'BatchLoRA';
  readonly model: string;
  readonly adapters: number;
}

export type SingleGpuQuantity = 'stepSeconds' | 'launchSeconds' | 'kernelSeconds' | 'memoryGB';

export interface SingleGpuConstants {
  readonly int8Efficiency: number;
  readonly launchNs: number;
  readonly contextGB: number;
}

const ROWS = 8;
const LENGTH = 512;
const ADAPTER = { type: 'lora', rank: 16, alpha: 32, dropout: 0, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] } as const;

const profileWith = (int8Efficiency: number): RooflineProfile => ({
  ...GPU_PROFILES.get('RTX A6000')!,
  int8Efficiency: fittedFigure(int8Efficiency),
  contextBytes: fittedFigure(0),
});

/** Adapters that share a batch. */
const together = ({ system, adapters }: SingleGpuRun): number => (system === 'BatchLoRA' ? adapters : 1);

/** Int8 weights, checkpointed layers; activations of the given precision. */
const costOf = (run: SingleGpuRun, precision: Precision, profile: RooflineProfile): CostModel => {
  const model = MODEL_PRESETS.get(run.model)!;
  return costOnDevice({
    gpu: 'RTX A6000',
    profile,
    model,
    adapters: Array.from({ length: together(run) }, () => ADAPTER),
    precision,
    baseWeights: 'int8',
    attention: 'scores',
    elementwise: 'eager',
    stages: [{ ...wholeModel(model.layerCount), recompute: true }],
  });
};

/** Device time and number of kernels of one adapter's step. */
const stepWork = (run: SingleGpuRun, int8Efficiency: number): { readonly kernelSeconds: number; readonly kernels: number } => {
  const profile = profileWith(int8Efficiency);
  const cost = costOf(run, 'fp32', profile);
  const shape = evenShape(together(run), ROWS, LENGTH);
  const [forward, backward, step] = [cost.forward(0, shape), cost.backward(0, shape), cost.step(0, 0)];
  const perAdapter = (of: 'deviceNs' | 'launchNs'): number => (forward[of] + backward[of]) / together(run) + step[of];
  return { kernelSeconds: perAdapter('deviceNs') / NS_PER_S, kernels: perAdapter('launchNs') / profile.launch.perKernelNs.value };
};

const memoryGB = (run: SingleGpuRun): number =>
  peakBytes(costOf(run, 'fp16', profileWith(1)), evenShape(together(run), ROWS, LENGTH)) / GIGA;

/** Of one adapter's step. The paper's times are sums: kernels and launches do not overlap in them. */
export const predictSingleGpu = (run: SingleGpuRun, constants: SingleGpuConstants): Record<SingleGpuQuantity, number> => {
  const { kernelSeconds, kernels } = stepWork(run, constants.int8Efficiency);
  const launchSeconds = (kernels * constants.launchNs) / NS_PER_S;
  return { kernelSeconds, launchSeconds, stepSeconds: kernelSeconds + launchSeconds, memoryGB: memoryGB(run) + constants.contextGB };
};

/** Each constant from the one quantity it decides. */
export const fitSingleGpu = (rows: readonly Observation<SingleGpuRun, SingleGpuQuantity>[]): SingleGpuConstants => {
  const kernelLoss = (int8Efficiency: number): number =>
    squaredErrors(pairsOf(rows, 'kernelSeconds', (run) => stepWork(run, int8Efficiency).kernelSeconds));
  return {
    int8Efficiency: leastAt(kernelLoss, [0.05, 1]),
    launchNs: NS_PER_S * bestFactor(pairsOf(rows, 'launchSeconds', (run) => stepWork(run, 1).kernels)),
    contextGB: bestOffset(pairsOf(rows, 'memoryGB', memoryGB)),
  };
};
