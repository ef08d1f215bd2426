import { levenbergMarquardt } from 'ml-levenberg-marquardt';
import type { Constant, Fitted, Observation } from '../data-set.ts';
import type { GptConstants } from './gpt-cost.ts';
import type { GptRun } from './rows.ts';
import { simulateRunMs, type GptMachine } from './simulate-run.ts';

/** Where the fit starts, and how the constants are reported. */
const CONSTANTS: readonly (Constant & { readonly key: keyof GptConstants })[] = [
  { key: 'productShare', name: 'matrix products, share of 312 TFLOP/s', value: 0.7, unit: '' },
  { key: 'memoryShare', name: 'memory-bound kernels, share of 2039 GB/s', value: 0.75, unit: '' },
  { key: 'layerOverheadMs', name: 'device time of a layer beside its work', value: 1, unit: 'ms' },
  { key: 'layerLaunchMs', name: 'host time to launch a layer', value: 3, unit: 'ms' },
  { key: 'softmaxLaunchMs', name: 'host time of an unfused softmax', value: 1, unit: 'ms' },
  { key: 'microbatchLaunchMs', name: 'host time of a microbatch beside its layers', value: 7, unit: 'ms' },
  { key: 'iterationMs', name: 'host time of an iteration beside its microbatches', value: 5, unit: 'ms' },
];

const constantsOf = (factors: readonly number[]): GptConstants =>
  Object.fromEntries(CONSTANTS.map(({ key, value }, index) => [key, value * factors[index]!])) as Record<keyof GptConstants, number>;

/** Least squares of predicted ÷ measured − 1 over the rows; constants are sought as factors of where they start. */
export const fitGpt =
  (machine: GptMachine) =>
  (rows: readonly Observation<GptRun, 'iteration'>[]): Fitted<GptRun, 'iteration'> => {
    const ratios = (factors: readonly number[]) => {
      const constants = constantsOf(factors);
      return (row: number): number => simulateRunMs(rows[row]!.input, constants, machine) / rows[row]!.measured.iteration!;
    };
    const { parameterValues } = levenbergMarquardt({ x: rows.map((_, row) => row), y: rows.map(() => 1) }, ratios, {
      initialValues: CONSTANTS.map(() => 1),
      minValues: CONSTANTS.map(() => 0.05),
      maxValues: CONSTANTS.map(() => 5),
      gradientDifference: 0.01,
      maxIterations: 4,
    });
    const constants = constantsOf(parameterValues);
    return {
      constants: CONSTANTS.map(({ key, name, unit }) => ({ name, value: constants[key], unit })),
      predict: (run) => ({ iteration: simulateRunMs(run, constants, machine) }),
    };
  };
