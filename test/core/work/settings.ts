import type { Adapter } from '../../../core/job.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import { MODULE_NAMES, type Model } from '../../../core/model/model.ts';
import type { MicrobatchShape } from '../../../core/plan/plan.ts';
import type { StageContent, WorkSetting } from '../../../core/work/setting.ts';

export const preset = (name: string): Model => MODEL_PRESETS.get(name)!;

/** The paper's adapter (section 5): rank 16 on the attention projections. */
export const PAPER_ADAPTER: Adapter = {
  type: 'lora',
  rank: 16,
  alpha: 32,
  dropout: 0,
  targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
};

export const EVERY_MODULE: Adapter = { ...PAPER_ADAPTER, targetModules: MODULE_NAMES };

/** fp32, score matrix kept, eager kernels. */
export const settingOf = (name: string, adapters: readonly Adapter[] = [PAPER_ADAPTER]): WorkSetting => ({
  model: preset(name),
  adapters,
  elementBytes: 4,
  attention: 'scores',
  elementwise: 'eager',
});

/** Rows of adapter 0 of one length. */
export const rowsOf = (rows: number, length: number): MicrobatchShape => ({
  parts: [{ adapter: 0, rows, tokens: rows * length, squaredTokens: rows * length * length }],
});

export const wholeModel = (model: Model): StageContent => ({ layerCount: model.layerCount, embedding: true, head: true });
export const middleLayers = (layerCount: number): StageContent => ({ layerCount, embedding: false, head: false });
