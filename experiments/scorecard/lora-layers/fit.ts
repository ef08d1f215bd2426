import { fcnnlsVector } from 'ml-fcnnls';
import { NS_PER_MS, NS_PER_US } from '../../../core/units.ts';
import type { Observation } from '../data-set.ts';
import { h100With, layerTimes, type LayerRun } from './predict.ts';

const US_PER_MS = NS_PER_MS / NS_PER_US;

export interface LayerConstants {
  readonly adapterEfficiency: number;
  readonly kernelGapNs: number;
}

/**
 * Both constants are linear in the time: that of the adapters' products goes with 1 ÷ efficiency, gaps with the number of
 * kernels. Non-negative least squares of relative errors of forward and backward.
 */
export const fitLayers = (rows: readonly Observation<LayerRun, 'forwardMs' | 'layerMs'>[]): LayerConstants => {
  const equations = rows.flatMap(({ input, measured: { forwardMs, layerMs } }) => {
    if (forwardMs === undefined || layerMs === undefined) return [];
    const [ideal, half] = [layerTimes(input, h100With(1, 0)), layerTimes(input, h100With(0.5, 0))];
    return [
      equation(ideal.forwardMs, half.forwardMs, ideal.forwardKernels, forwardMs),
      equation(ideal.backwardMs, half.backwardMs, ideal.backwardKernels, layerMs - forwardMs),
    ];
  });
  const solution = fcnnlsVector(
    equations.map(({ inputs }) => inputs),
    equations.map(({ output }) => output),
  ).K.to1DArray();
  return { adapterEfficiency: 1 / solution[0]!, kernelGapNs: solution[1]! * NS_PER_US };
};

/** Half the efficiency doubles the adapters' part, so the difference is that part at full efficiency. */
const equation = (idealMs: number, halfMs: number, kernels: number, measuredMs: number) => {
  const adapterMs = halfMs - idealMs;
  return {
    inputs: [adapterMs / measuredMs, kernels / US_PER_MS / measuredMs],
    output: (measuredMs - (idealMs - adapterMs)) / measuredMs,
  };
};
