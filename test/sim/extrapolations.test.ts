import { describe, expect, it } from 'vitest';
import { MODEL_PRESETS } from '../../core/model/presets.ts';
import { GPU_PRESETS } from '../../core/cluster/gpus.ts';
import type { AnalyticCostOptions } from '../../sim/device-times.ts';
import { findExtrapolations } from '../../sim/extrapolations.ts';
import { PAPER_ADAPTER, rowsOf } from '../core/work/settings.ts';

const on = (gpu: string, changes: Partial<AnalyticCostOptions> = {}): AnalyticCostOptions => ({
  model: MODEL_PRESETS.get('Llama-2-7B')!,
  adapters: [PAPER_ADAPTER],
  precision: 'bf16',
  cluster: { name: gpu, devices: [{ name: 'device0', gpu: GPU_PRESETS.get(gpu)!, machine: 0 }], links: [], routes: [[[]]] },
  stages: [{ device: 0, firstLayer: 0, endLayer: 32 }],
  ...changes,
});

describe('what a prediction rests on beyond measured kernels', () => {
  it('is nothing for measured weights and tokens', () => {
    expect(findExtrapolations(on('A100-80'), [rowsOf(2, 512)])).toEqual([]);
  });

  it('names microbatches larger than any measured product, by the largest one', () => {
    expect(findExtrapolations(on('H100'), [rowsOf(1, 512), rowsOf(8, 1024), rowsOf(2, 512)])).toEqual([
      'H100: products of 8192 tokens run at the rate measured for 4096, the most in the table',
    ]);
  });

  it('names weights far from the measured ones', () => {
    const wide = on('A100-80', { model: { ...MODEL_PRESETS.get('Llama-2-7B')!, vocabularySize: 150_000 } });
    expect(findExtrapolations(wide, [rowsOf(1, 512)])).toEqual([
      expect.stringContaining('products with a 4096 × 150000 weight run at the rate of the nearest measured ones'),
    ]);
    expect(findExtrapolations(on('A40', { model: MODEL_PRESETS.get('SmolLM2-135M')! }), [rowsOf(1, 512)]).join('\n')).toContain('narrower than any measured');
  });

  it('names a guessed share of peak, but not a fitted one', () => {
    expect(findExtrapolations(on('B200'), [rowsOf(1, 512)])).toEqual([expect.stringMatching(/^B200.*: no measured bf16 products; all take 70 % of peak/)]);
    expect(findExtrapolations(on('RTX A6000', { precision: 'fp32' }), [rowsOf(1, 512)])).toEqual([]);
  });
});
