import type { CostModel } from '../../../core/cost-model.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import type { JobSize } from '../../../core/scheduler/memory-law.ts';
import { GIGA } from '../../../core/units.ts';
import { GPU_PROFILES } from '../../../sim/profiles/gpu-profiles.ts';
import { costOnDevice, evenShape, peakBytes } from '../one-device.ts';

const ADAPTER = { type: 'lora', rank: 16, alpha: 32, dropout: 0, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] } as const;
const STAGE = { device: 0, firstLayer: 8, endLayer: 16 };
const MODEL_END = { device: 0, firstLayer: 31, endLayer: 32 };

const stageCost = (): CostModel =>
  costOnDevice({
    gpu: 'RTX A6000',
    profile: GPU_PROFILES.get('RTX A6000')!,
    model: MODEL_PRESETS.get('Llama-2-7B')!,
    adapters: [ADAPTER],
    precision: 'fp32',
    stages: [STAGE, MODEL_END],
  });

/** What our ledger says of one job on an inner stage of 7B (8 of 32 layers, fp32, score matrix kept). */
export const ledgerParts = ({ rows, length }: JobSize): { readonly keptGB: number; readonly passGB: number } => {
  const cost = stageCost();
  const shape = evenShape(1, rows, length);
  const { forward, backward } = cost.transientBytes(0, shape);
  const passGB = Math.max(forward, backward) / GIGA;
  return { keptGB: peakBytes(cost, shape) / GIGA - passGB, passGB };
};

/** Its peak: what is kept between ops, and what lives while a pass runs. */
export const ledgerGB = (size: JobSize): number => peakBytes(stageCost(), evenShape(1, size.rows, size.length)) / GIGA;
