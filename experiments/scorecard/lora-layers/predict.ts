import { MODULE_NAMES } from '../../../core/model/model.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';
import { NS_PER_MS } from '../../../core/units.ts';
import type { RooflineProfile } from '../../../sim/device-profile.ts';
import { GPU_PROFILES } from '../../../sim/profiles/gpu-profiles.ts';
import { costOnDevice, evenShape, fittedFigure } from '../one-device.ts';

export interface LayerRun {
  readonly model: string;
  readonly tokens: number;
}

export interface LayerTimes {
  readonly forwardMs: number;
  readonly backwardMs: number;
  /** Kernels of each pass. */
  readonly forwardKernels: number;
  readonly backwardKernels: number;
}

const ROW_LENGTH = 512;
const ADAPTER = { type: 'lora', rank: 16, alpha: 16, dropout: 0.1, targetModules: MODULE_NAMES } as const;
const LAYERS = [0, 1, 2].map((layer) => ({ device: 0, firstLayer: layer, endLayer: layer + 1 }));

export const h100With = (adapterEfficiency: number, kernelGapNs: number): RooflineProfile => ({
  ...GPU_PROFILES.get('H100')!,
  adapterEfficiency: fittedFigure(adapterEfficiency),
  kernelGapNs: fittedFigure(kernelGapNs),
});

/** Device time of one inner layer; launches are in a CUDA graph and cost the host nothing. */
export const layerTimes = ({ model, tokens }: LayerRun, profile: RooflineProfile): LayerTimes => {
  const cost = costOnDevice({
    gpu: 'H100',
    profile,
    model: MODEL_PRESETS.get(model)!,
    adapters: [ADAPTER],
    precision: 'bf16',
    attention: 'flash',
    // Saved activations of these layers are those of fused norms and SwiGLU (test/core/work/memory.test.ts).
    elementwise: 'fused',
    stages: LAYERS,
  });
  const shape = evenShape(1, tokens / ROW_LENGTH, ROW_LENGTH);
  const [forward, backward] = [cost.forward(1, shape), cost.backward(1, shape)];
  const kernels = (launchNs: number): number => launchNs / profile.launch.perKernelNs.value;
  return {
    forwardMs: forward.deviceNs / NS_PER_MS,
    backwardMs: backward.deviceNs / NS_PER_MS,
    forwardKernels: kernels(forward.launchNs),
    backwardKernels: kernels(backward.launchNs),
  };
};
