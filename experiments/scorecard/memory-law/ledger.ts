import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import type { JobSize } from '../../../core/scheduler/memory-law.ts';
import { GIGA } from '../../../core/units.ts';
import { GPU_PROFILES } from '../../../sim/profiles/gpu-profiles.ts';
import { costOnDevice, evenShape, peakBytes } from '../one-device.ts';

const ADAPTER = { type: 'lora', rank: 16, alpha: 32, dropout: 0, targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'] } as const;
const STAGE = { device: 0, firstLayer: 8, endLayer: 16 };
const MODEL_END = { device: 0, firstLayer: 31, endLayer: 32 };

/** Peak of our ledger for one job on an inner stage of 7B (8 of 32 layers, fp32, score matrix kept). */
export const ledgerGB = ({ rows, length }: JobSize): number => {
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
