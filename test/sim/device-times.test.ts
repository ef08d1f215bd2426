import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { CLUSTER_PRESETS } from '../../core/cluster/presets.ts';
import { buildCluster } from '../../core/cluster/topology.ts';
import type { StageContent } from '../../core/work/setting.ts';
import { backwardWork, forwardWork } from '../../core/work/stage.ts';
import { analyticCost } from '../../sim/analytic-cost.ts';
import { deviceTimes, type AnalyticCostOptions } from '../../sim/device-times.ts';
import { MLORA_RELEASED_PROFILE } from '../../sim/profiles/gpu-profiles.ts';
import { EVERY_MODULE, PAPER_ADAPTER, preset, rowsOf } from '../core/work/settings.ts';

const built = buildCluster(CLUSTER_PRESETS.get('8xH100-nvlink')!);
if (E.isLeft(built)) throw new Error('wrong cluster');
const CLUSTER = built.right;

const OPTIONS: AnalyticCostOptions = {
  model: preset('TinyLlama-1.1B'),
  adapters: [PAPER_ADAPTER, EVERY_MODULE],
  precision: 'bf16',
  stages: [],
  cluster: CLUSTER,
};

describe('times of a pass', () => {
  const content: fc.Arbitrary<StageContent> = fc.record({
    layerCount: fc.integer({ min: 0, max: 5 }),
    embedding: fc.boolean(),
    head: fc.boolean(),
    loss: fc.boolean(),
    recompute: fc.boolean(),
  });

  it('put together from layers and ends are those of all kernels of the stage', () => {
    const { setting, pass, kernels } = deviceTimes(OPTIONS, CLUSTER.devices[0]!.gpu);
    fc.assert(
      fc.property(content, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 600 }), (stage, rows, length) => {
        const shape = rowsOf(rows, length);
        for (const [name, work] of [['forward', forwardWork], ['backward', backwardWork]] as const) {
          const whole = kernels(work(setting, stage, shape));
          const parts = pass(name, stage)(shape);
          expect(parts.deviceNs).toBeCloseTo(whole.deviceNs, 4);
          expect([parts.launchNs, parts.firstLaunchNs]).toEqual([whole.launchNs, whole.firstLaunchNs]);
        }
      }),
    );
  });

  it('of a split backward add up to those of the whole', () => {
    const cost = analyticCost({ ...OPTIONS, stages: [{ device: 0, firstLayer: 0, endLayer: 22 }] });
    const shape = rowsOf(2, 512);
    const { deviceNs } = cost.backward(0, shape);
    expect(cost.backwardInput(0, shape).deviceNs + cost.backwardWeight(0, shape).deviceNs).toBeCloseTo(deviceNs, 4);
    expect(cost.backwardWeight(0, shape).deviceNs).toBeLessThan(0.1 * deviceNs);
  });

  it('count what a program takes around a pass once for all units of a rank, and for each stage on a device of its own', () => {
    const shape = rowsOf(2, 512);
    const total = (devices: readonly number[]): number => {
      const stages = devices.map((device, stage) => ({ device, firstLayer: 11 * stage, endLayer: 11 * (stage + 1) }));
      const cost = analyticCost({ ...OPTIONS, stages, profileOf: () => MLORA_RELEASED_PROFILE });
      return stages.reduce((sum, _, stage) => sum + cost.forward(stage, shape).deviceNs, 0);
    };
    expect(total([0, 1]) - total([0, 0])).toBeCloseTo(MLORA_RELEASED_PROFILE.perPassNs.value, 4);
  });
});
