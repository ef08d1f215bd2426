import * as E from 'fp-ts/lib/Either.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cluster, Gpu, Precision } from '../../core/cluster/cluster.ts';
import { GPU_PRESETS } from '../../core/cluster/gpus.ts';
import { CLUSTER_PRESETS } from '../../core/cluster/presets.ts';
import { buildCluster } from '../../core/cluster/topology.ts';
import type { CostModel } from '../../core/cost-model.ts';
import type { StagePlacement } from '../../core/plan/plan.ts';
import { NS_PER_S } from '../../core/units.ts';
import { BASE_WEIGHTS } from '../../core/work/frozen-linear.ts';
import { analyticCost } from '../../sim/analytic-cost.ts';
import type { AnalyticCostOptions } from '../../sim/device-times.ts';
import type { RooflineProfile } from '../../sim/device-profile.ts';
import { GPU_PROFILE, GPU_PROFILES, MLORA_RELEASED_PROFILE, profileOf, WASM_PROFILE } from '../../sim/profiles/gpu-profiles.ts';
import { PAPER_ADAPTER, preset, rowsOf } from '../core/work/settings.ts';

const clusterNamed = (name: string): Cluster =>
  E.getOrElse<unknown, Cluster>((problems) => {
    throw new Error(JSON.stringify(problems));
  })(buildCluster(CLUSTER_PRESETS.get(name)!));

const A6000 = clusterNamed('4xA6000-pcie');
const SHAPE = rowsOf(2, 512);

const optionsOf = (model: string, changes: Partial<AnalyticCostOptions> = {}): AnalyticCostOptions => ({
  model: preset(model),
  adapters: [PAPER_ADAPTER],
  precision: 'fp32',
  cluster: A6000,
  stages: quarters(preset(model).layerCount),
  ...changes,
});

/** Four stages of equally many layers, the last one taking what is left. */
const quarters = (layerCount: number): StagePlacement[] => {
  const layers = Math.ceil(layerCount / 4);
  return STAGES.map((device) => ({
    device,
    firstLayer: device * layers,
    endLayer: Math.min(layerCount, (device + 1) * layers),
  }));
};

const STAGES = [0, 1, 2, 3];
const stageNs = (cost: CostModel, stage: number, shape = SHAPE): number =>
  cost.forward(stage, shape).deviceNs + cost.backward(stage, shape).deviceNs;

/** Tokens a second of a full pipeline: as fast as its slowest stage. */
const fullPipeline = (model: string): number => {
  const cost = analyticCost(optionsOf(model, { profileOf: () => MLORA_RELEASED_PROFILE }));
  return (1024 * NS_PER_S) / Math.max(...STAGES.map((stage) => stageNs(cost, stage)));
};

describe('fp32 on four RTX A6000 under the released pipeline', () => {
  // arXiv 2312.02515, Fig. 12b and c: LoRAPP at the most adapters. The constants are fitted on 7B only.
  it('gives the paper’s 7B throughput, which it is fitted on', () => {
    expect(fullPipeline('Llama-2-7B') / 2363.89).toBeCloseTo(1, 2);
  });

  it('predicts the paper’s 13B throughput within 3 %', () => {
    expect(Math.abs(fullPipeline('Llama-2-13B') / 1286.54 - 1)).toBeLessThan(0.03);
  });
});

describe('the analytic cost model', () => {
  const kinds = fc.constantFrom<Precision>('fp32', 'tf32', 'bf16', 'fp16');

  const gpuNames = fc.constantFrom('RTX A6000', 'A100-80', 'H100', 'B200');
  const settings = fc.record({
    precision: kinds,
    baseWeights: fc.constantFrom(...BASE_WEIGHTS),
    attention: fc.constantFrom<'scores' | 'flash'>('scores', 'flash'),
    elementwise: fc.constantFrom<'eager' | 'fused'>('eager', 'fused'),
  });
  const onGpu = (gpu: Gpu): Pick<AnalyticCostOptions, 'cluster'> => ({
    cluster: { ...A6000, devices: A6000.devices.map((device) => ({ ...device, gpu })) },
  });

  it('never takes longer on a device with more arithmetic or memory bandwidth', () => {
    const factor = fc.double({ min: 1, max: 8, noNaN: true });
    fc.assert(
      fc.property(gpuNames, settings, factor, factor, (name, setting, compute, memory) => {
        const gpu = GPU_PRESETS.get(name)!;
        const rates = Object.entries(gpu.flopsPerSecond).map(([kind, rate]) => [kind, rate * compute] as const);
        const faster = {
          ...gpu,
          flopsPerSecond: Object.fromEntries(rates) as Gpu['flopsPerSecond'],
          memoryBytesPerSecond: gpu.memoryBytesPerSecond * memory,
        };
        const slow = analyticCost(optionsOf('TinyLlama-1.1B', { ...setting, ...onGpu(gpu) }));
        const fast = analyticCost(optionsOf('TinyLlama-1.1B', { ...setting, ...onGpu(faster) }));
        for (const stage of STAGES) expect(stageNs(fast, stage)).toBeLessThanOrEqual(stageNs(slow, stage) * (1 + 1e-12));
      }),
      { numRuns: 40 },
    );
  });

  it('costs finite time and memory for microbatches of any size, none negative', () => {
    const size = fc.integer({ min: 1, max: 40_000 });
    fc.assert(
      fc.property(gpuNames, settings, fc.boolean(), fc.integer({ min: 1, max: 64 }), size, (name, setting, recompute, rows, length) => {
        const stages = quarters(22).map((stage) => ({ ...stage, recompute }));
        const cost = analyticCost(optionsOf('TinyLlama-1.1B', { ...setting, ...onGpu(GPU_PRESETS.get(name)!), stages }));
        const shape = rowsOf(rows, length);
        for (const stage of STAGES) {
          const passes = [cost.forward(stage, shape), cost.backward(stage, shape), cost.step(stage, 0)];
          const values = [
            ...passes.flatMap(({ deviceNs, launchNs, firstLaunchNs = 0 }) => [deviceNs, launchNs, firstLaunchNs]),
            ...Object.values(cost.transientBytes(stage, shape)),
            ...Object.values<number>({ ...cost.residentBytes(stage) }),
            cost.activationBytes(stage, shape),
            cost.rounding!.activationBytes(stage, shape),
          ];
          for (const value of values) expect(value >= 0 && Number.isFinite(value)).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('takes longer for more tokens, and no less than in proportion once launches are hidden', () => {
    const cost = analyticCost(optionsOf('Llama-2-7B'));
    expect(stageNs(cost, 1, rowsOf(4, 512)) / stageNs(cost, 1, rowsOf(2, 512))).toBeCloseTo(2, 1);
    expect(stageNs(cost, 1, rowsOf(1, 1024))).toBeGreaterThan(stageNs(cost, 1, rowsOf(2, 512)));
  });

  it('is bound by reading the weights for a single token', () => {
    const cost = analyticCost(optionsOf('Llama-2-7B'));
    const weightBytes = cost.residentBytes(1).baseWeights;
    const bandwidth = (768e9 * GPU_PROFILE.memoryEfficiency.value) / NS_PER_S;
    expect(cost.forward(1, rowsOf(1, 1)).deviceNs).toBeGreaterThan(weightBytes / bandwidth);
  });

  it('launches 7 µs a kernel beside the device on a GPU', () => {
    const { launchNs, firstLaunchNs } = analyticCost(optionsOf('Llama-2-7B')).forward(1, SHAPE);
    expect(firstLaunchNs).toBe(7000);
    expect(launchNs % 7000).toBe(0);
    expect(launchNs).toBeGreaterThan(8 * 40 * 7000);
  });

  it('counts launches as device time on a CPU core, whose kernels run inside the call', () => {
    const cluster = clusterNamed('2xcpu');
    const halves = [
      { device: 0, firstLayer: 0, endLayer: 15 },
      { device: 1, firstLayer: 15, endLayer: 30 },
    ];
    const timeAt = (perKernelNs: number): number => {
      const perKernel = { ...WASM_PROFILE.launch.perKernelNs, value: perKernelNs };
      const profile: RooflineProfile = { ...WASM_PROFILE, launch: { kind: 'synchronous', perKernelNs: perKernel } };
      const cost = analyticCost(optionsOf('SmolLM2-135M', { cluster, stages: halves, profileOf: () => profile }));
      expect(cost.forward(0, SHAPE).launchNs).toBe(0);
      return cost.forward(0, SHAPE).deviceNs;
    };
    expect(timeAt(20_000) - timeAt(10_000)).toBeGreaterThan(15 * 40 * 10_000);
  });

  it('needs half the bytes and less time in bf16', () => {
    const [fp32, bf16] = [analyticCost(optionsOf('Llama-2-7B')), analyticCost(optionsOf('Llama-2-7B', { precision: 'bf16' }))];
    expect(2 * bf16.transferBytes(0, SHAPE)).toBe(fp32.transferBytes(0, SHAPE));
    expect(2 * bf16.activationBytes(1, SHAPE)).toBe(fp32.activationBytes(1, SHAPE));
    expect(stageNs(bf16, 1)).toBeLessThan(stageNs(fp32, 1) / 2);
  });

  it('saves time and memory with flash attention on long rows', () => {
    const shape = rowsOf(1, 4096);
    const [scores, flash] = [analyticCost(optionsOf('Llama-2-7B')), analyticCost(optionsOf('Llama-2-7B', { attention: 'flash' }))];
    expect(stageNs(flash, 1, shape)).toBeLessThan(stageNs(scores, 1, shape));
    expect(flash.activationBytes(1, shape)).toBeLessThan(scores.activationBytes(1, shape) / 2);
  });
});

describe('device profiles', () => {
  it('tell a CPU core from a GPU', () => {
    expect(profileOf(GPU_PRESETS.get('cpu-wasm')!)).toBe(WASM_PROFILE);
    expect(profileOf(GPU_PRESETS.get('H100')!)).toBe(GPU_PROFILES.get('H100'));
    expect(profileOf(GPU_PRESETS.get('B200')!)).toBe(GPU_PROFILE);
  });

  it('say of every figure where it comes from', () => {
    const figures = (profile: RooflineProfile) => [
      ...Object.values(profile.gemmEfficiency),
      ...Object.values(profile.attentionEfficiency),
      profile.memoryEfficiency,
      profile.minimumKernelNs,
      profile.launch.perKernelNs,
      profile.contextBytes,
    ];
    for (const { value, source } of [GPU_PROFILE, ...GPU_PROFILES.values()].flatMap(figures)) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(source.length).toBeGreaterThan(10);
    }
  });
});
