import type { ComputeCost } from '../../../core/cost-model.ts';
import { MODULE_NAMES, type Model } from '../../../core/model/model.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import { GIGA, NS_PER_S } from '../../../core/units.ts';
import type { RooflineProfile } from '../../../sim/device-profile.ts';
import { GPU_PROFILES } from '../../../sim/profiles/gpu-profiles.ts';
import type { Observation } from '../data-set.ts';
import { bestOffset, costOnDevice, evenShape, fittedFigure, leastAt, pairsOf, peakBytes, squaredErrors, wholeModel } from '../one-device.ts';

export interface QwenRun {
  readonly model: string;
  /** Tokens of the one row of a microbatch. */
  readonly length: number;
}

export type QwenQuantity = 'stepSeconds' | 'memoryGB';

export interface QwenConstants {
  readonly launchNs: number;
  readonly contextGB: number;
}

const ACCUMULATED = 8;
const ADAPTER = { type: 'lora', rank: 64, alpha: 16, dropout: 0.05, targetModules: MODULE_NAMES } as const;

/** Shapes of Qwen/Qwen-1_8B and Qwen/Qwen-7B (config.json); their one q, k, v product counts as three here. */
const SHAPES: Readonly<Record<string, Pick<Model, 'hiddenSize' | 'intermediateSize' | 'layerCount' | 'headCount' | 'keyValueHeadCount'>>> = {
  'Qwen-1.8B': { hiddenSize: 2048, intermediateSize: 5504, layerCount: 24, headCount: 16, keyValueHeadCount: 16 },
  'Qwen-7B': { hiddenSize: 4096, intermediateSize: 11_008, layerCount: 32, headCount: 32, keyValueHeadCount: 32 },
};

const modelOf = (name: string): Model => ({
  ...MODEL_PRESETS.get('Qwen2.5-32B')!,
  name,
  ...SHAPES[name]!,
  headSize: 128,
  vocabularySize: 151_936,
});

const profile: RooflineProfile = { ...GPU_PROFILES.get('A100-80')!, contextBytes: fittedFigure(0) };

/** What a run needs, before the fitted constants: passes of a microbatch, the step, and memory without the context. */
interface QwenNeeds {
  readonly ops: readonly { readonly deviceNs: number; readonly kernels: number; readonly times: number }[];
  readonly memoryGB: number;
}

/** Eight microbatches with gradient checkpointing, then the optimizer. */
const needsOf = ({ model: name, length }: QwenRun): QwenNeeds => {
  const model = modelOf(name);
  const cost = costOnDevice({
    gpu: 'A100-80',
    profile,
    model,
    adapters: [ADAPTER],
    precision: 'bf16',
    attention: 'flash',
    elementwise: 'eager',
    stages: [{ ...wholeModel(model.layerCount), recompute: true }],
  });
  const shape = evenShape(1, 1, length);
  const op = ({ deviceNs, launchNs }: ComputeCost, times: number) => ({ deviceNs, kernels: launchNs / profile.launch.perKernelNs.value, times });
  return {
    ops: [op(cost.forward(0, shape), ACCUMULATED), op(cost.backward(0, shape), ACCUMULATED), op(cost.step(0, 0), 1)],
    memoryGB: peakBytes(cost, shape) / GIGA,
  };
};

/** An op takes as long as the device or its launches need, whichever is longer. */
const stepSeconds = ({ ops }: QwenNeeds, launchNs: number): number =>
  ops.reduce((sum, { deviceNs, kernels, times }) => sum + times * Math.max(deviceNs, kernels * launchNs), 0) / NS_PER_S;

export const predictQwen = (run: QwenRun, { launchNs, contextGB }: QwenConstants): Record<QwenQuantity, number> => {
  const needs = needsOf(run);
  return { stepSeconds: stepSeconds(needs, launchNs), memoryGB: needs.memoryGB + contextGB };
};

/** Launch cost from the times, context from the memory of the same rows. */
export const fitQwen = (rows: readonly Observation<QwenRun, QwenQuantity>[]): QwenConstants => {
  const needs = rows.map(({ input, measured }) => ({ input: needsOf(input), measured }));
  return {
    launchNs: leastAt((launchNs) => squaredErrors(pairsOf(needs, 'stepSeconds', (run) => stepSeconds(run, launchNs))), [1000, 100_000]),
    contextGB: bestOffset(pairsOf(needs, 'memoryGB', ({ memoryGB }) => memoryGB)),
  };
};
