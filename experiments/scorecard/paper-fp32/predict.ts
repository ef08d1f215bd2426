import { partitionLayers, type LayerRange } from '../../../core/partition.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import { opNs } from '../../../core/shape-costs.ts';
import { NS_PER_MS } from '../../../core/units.ts';
import type { RooflineProfile } from '../../../sim/device-profile.ts';
import { GPU_PROFILES } from '../../../sim/profiles/gpu-profiles.ts';
import type { Observation } from '../data-set.ts';
import { bestOffset, costOnDevice, evenShape, fittedFigure, leastAt, pairsOf, squaredErrors } from '../one-device.ts';

export interface PipelineRun {
  readonly model: string;
}

export type PipelineQuantity = 'tokensPerSecond' | 'computeMs';

export interface PipelineConstants {
  readonly fp32Efficiency: number;
  readonly perPassMs: number;
}

const DEVICES = 4;
const ROWS = 2;
const LENGTH = 512;
/** Tokens of a microbatch. */
export const STEP_TOKENS = ROWS * LENGTH;
const ADAPTER = { type: 'lora', rank: 16, alpha: 32, dropout: 0, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] } as const;

const profileWith = (fp32Efficiency: number): RooflineProfile => {
  const a6000 = GPU_PROFILES.get('RTX A6000')!;
  const fp32 = fittedFigure(fp32Efficiency);
  return {
    ...a6000,
    gemmEfficiency: { ...a6000.gemmEfficiency, fp32 },
    attentionEfficiency: { ...a6000.attentionEfficiency, fp32 },
  };
};

/** Forward and backward of a microbatch at the slowest stage, layers cut as evenly as they can be. */
const slowestStageMs = ({ model: name }: PipelineRun, fp32Efficiency: number): number => {
  const model = MODEL_PRESETS.get(name)!;
  const options = { gpu: 'RTX A6000', profile: profileWith(fp32Efficiency), model, adapters: [ADAPTER], precision: 'fp32', elementwise: 'eager' } as const;
  const shape = evenShape(1, ROWS, LENGTH);
  const timesOf = (stages: readonly LayerRange[]): number[] => {
    const cost = costOnDevice({ ...options, stages: stages.map((stage) => ({ device: 0, ...stage })) });
    return stages.map((_, stage) => opNs(cost.forward(stage, shape)) + opNs(cost.backward(stage, shape)));
  };
  const [first, inner, last] = timesOf([0, 1, 2].map((layer) => ({ firstLayer: layer, endLayer: layer + 1 }))) as [number, number, number];
  const layers = Array.from({ length: model.layerCount }, () => inner);
  return Math.max(...timesOf(partitionLayers({ layers, embedding: first - inner, head: last - inner }, DEVICES))) / NS_PER_MS;
};

const PASSES = 2;
const perSecond = (microbatchMs: number): number => (STEP_TOKENS * 1e3) / microbatchMs;

/** A full LoRAPP pipeline finishes a microbatch whenever its slowest stage does. */
export const predictPipeline = (run: PipelineRun, { fp32Efficiency, perPassMs }: PipelineConstants): Record<PipelineQuantity, number> => {
  const computeMs = slowestStageMs(run, fp32Efficiency);
  return { computeMs, tokensPerSecond: perSecond(computeMs + PASSES * perPassMs) };
};

/** The rate from the computing time alone, then what is left of a step's time with overlap. */
export const fitPipeline = (rows: readonly Observation<PipelineRun, PipelineQuantity>[]): PipelineConstants => {
  const computeLoss = (efficiency: number): number => squaredErrors(pairsOf(rows, 'computeMs', (run) => slowestStageMs(run, efficiency)));
  const fp32Efficiency = leastAt(computeLoss, [0.2, 1]);
  const stepsMs = pairsOf(rows, 'tokensPerSecond', (run) => slowestStageMs(run, fp32Efficiency)).map(([computeMs, tokens]) => [computeMs, perSecond(tokens)] as const);
  return { fp32Efficiency, perPassMs: bestOffset(stepsMs) / PASSES };
};
