import { describe, expect, test } from 'vitest';
import { SCORECARD } from '../../../experiments/scorecard/data-sets.ts';
import { score } from '../../../experiments/scorecard/score.ts';
import type { Figure } from '../../../sim/device-profile.ts';
import { GPU_PROFILE, MLORA_RELEASED_PROFILE } from '../../../sim/profiles/gpu-profiles.ts';
import { NS_PER_MS } from '../../../core/units.ts';

const constantOf = (dataSet: string, name: string): number =>
  SCORECARD.find((entry) => entry.name === dataSet)!.use(score).constants.find((constant) => constant.name === name)!.value;

describe('a figure that a shipped profile calls fitted', () => {
  test.each<[string, string, Figure, number]>([
    ['lora-layers', 'share of roofline in an adapter’s products', GPU_PROFILE.adapterEfficiency, 1],
    ['lora-layers', 'gap between two kernels', GPU_PROFILE.kernelGapNs, 1],
    ['paper-fp32', 'share of the fp32 peak in products', GPU_PROFILE.gemmEfficiency.fp32, 1],
    ['paper-fp32', 'runtime in every pass', MLORA_RELEASED_PROFILE.perPassNs, NS_PER_MS],
    ['paper-single-gpu', 'share of the int8 peak', GPU_PROFILE.int8Efficiency, 1],
  ])('is what %s fits: %s', (dataSet, name, figure, unit) => {
    expect(figure.source).toContain(`scorecard ${dataSet}`);
    expect(figure.value / unit / constantOf(dataSet, name)).toBeCloseTo(1, 3);
  });
});
