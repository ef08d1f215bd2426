import type { Experiment } from '../../../core/experiment/experiment.ts';
import { linearShape, type ModuleName } from '../../../core/model/model.ts';
import type { MicrobatchShape } from '../../../core/plan/plan.ts';
import { NS_PER_S } from '../../../core/units.ts';
import { elementwise } from '../../../core/work/elementwise.ts';
import type { Kernel } from '../../../core/work/kernel.ts';
import { loraBackward, loraForward } from '../../../core/work/lora.ts';
import { elementBytesOf, shapeSize, type WorkSetting } from '../../../core/work/setting.ts';
import { createRoofline, kernelMeasures, rooflineCost } from '../../../sim/roofline.ts';
import { openContent, PROFILES, type ExperimentContent } from './run-experiment.ts';

/** The price of one BatchLoRA operator: the low-rank products of all adapters on one module, forward and backward. */
export interface OperatorTask {
  readonly kind: 'operator';
  readonly experiment: ExperimentContent;
  /** Without graph pruning backward takes the derivative of a split: an input-sized tensor more for every adapter. */
  readonly pruned: boolean;
  /** Tokens of one adapter's mini-batch. */
  readonly tokens: number;
}

/** Means over the adapted modules. */
export interface OperatorResult {
  readonly deviceSeconds: number;
  readonly launchSeconds: number;
}

export const priceOperator = (task: OperatorTask): OperatorResult => {
  const experiment = openContent(task.experiment);
  const { gpu } = experiment.cluster.devices[0]!;
  const profile = PROFILES.shipped(gpu);
  if (profile.kind !== 'roofline') throw new Error(`${gpu.name} has no kernels`);
  const setting: WorkSetting = {
    model: experiment.model,
    adapters: experiment.jobs.map(({ adapter }) => adapter),
    elementBytes: elementBytesOf(experiment.precision),
    attention: experiment.attention,
    elementwise: profile.elementwise,
  };
  const roofline = createRoofline(profile, gpu, experiment);
  const shape = shapeOf(experiment, task.tokens);
  const modules = experiment.jobs[0]!.adapter.targetModules;
  const costs = modules.map((module) => rooflineCost(roofline, kernelMeasures(operatorKernels(setting, module, shape, task.pruned))));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length / NS_PER_S;
  return {
    deviceSeconds: mean(costs.map(({ deviceNs }) => deviceNs)),
    launchSeconds: mean(costs.map(({ launchNs }) => launchNs)),
  };
};

const shapeOf = ({ jobs }: Experiment, tokens: number): MicrobatchShape => ({
  parts: jobs.map((_, adapter) => ({ adapter, rows: 1, tokens, squaredTokens: tokens * tokens })),
});

/** Elements of the input-sized tensors, one for each adapter's rows. */
const splitElements = ({ model }: WorkSetting, module: ModuleName, shape: MicrobatchShape): number =>
  shapeSize(shape).tokens * linearShape(model, module).inputSize;

const operatorKernels = (setting: WorkSetting, module: ModuleName, shape: MicrobatchShape, pruned: boolean): Kernel[] => [
  ...loraForward(setting, module, shape),
  ...loraBackward(setting, module, shape, { inputGradient: true, half: 'both' }),
  ...(pruned ? [] : shape.parts.map((part) => elementwise(setting, 'add', splitElements(setting, module, { parts: [part] })))),
];
