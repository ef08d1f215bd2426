import type { CostModel } from '../cost-model.ts';
import type { MicrobatchShape } from '../plan/plan.ts';
import { memoizeShapeCosts, opNs, type ShapeCost } from '../shape-costs.ts';

/** A pipeline that rounds pass. */
export interface PipelineTimes {
  readonly deviceOfStage: readonly number[];
  readonly deviceCount: number;
  readonly cost: CostModel;
  readonly transferNs: (fromStage: number, toStage: number, bytes: number) => number;
}

/** What one round of a group takes: one iteration of each of its adapters. */
export interface RoundTime {
  /** At the device that is busy longest: rounds cannot follow each other faster. */
  readonly workNs: number;
  /** From the first forward to the last step, alone in the pipeline: a group's rounds cannot follow each other faster. */
  readonly latencyNs: number;
  /** Busy time of all devices together. */
  readonly busyNs: number;
  readonly tokens: number;
}

/** The time of a round with these microbatches, stepping these adapters. */
export const roundTime = (pipeline: PipelineTimes, shapes: readonly MicrobatchShape[], adapters: readonly number[]): RoundTime => {
  const { cost, deviceOfStage, transferNs } = pipeline;
  const costOf = memoizeShapeCosts(cost, deviceOfStage.length, (shape) => shapes[shape]!);
  const costs = shapes.map((_, index) => costOf(index));
  const stepNs = deviceOfStage.map((_, stage) => adapters.reduce((sum, adapter) => sum + opNs(cost.step(stage, adapter)), 0));
  const passNs = (each: ShapeCost, stage: number): number => each.forwardNs[stage]! + each.backwardNs[stage]!;
  const byDevice = (stageNs: (stage: number) => number): number[] => {
    const sums = new Array<number>(pipeline.deviceCount).fill(0);
    for (const [stage, device] of deviceOfStage.entries()) sums[device]! += stageNs(stage);
    return sums;
  };
  const slots = costs.map((each) => Math.max(...byDevice((stage) => passNs(each, stage))));
  const devices = byDevice((stage) => stepNs[stage]! + costs.reduce((sum, each) => sum + passNs(each, stage), 0));
  const last = costs.at(-1)!;
  const travelNs = deviceOfStage.slice(1).reduce((sum, _, stage) => sum + 2 * transferNs(stage, stage + 1, last.transferBytes[stage]!), 0);
  const enterNs = slots.slice(0, -1).reduce((sum, slotNs) => sum + slotNs, 0);
  return {
    workNs: Math.max(...devices),
    latencyNs: Math.max(Math.max(...devices), enterNs + last.pathNs + travelNs + stepNs[0]!),
    busyNs: devices.reduce((sum, deviceNs) => sum + deviceNs, 0),
    tokens: shapes.reduce((sum, { parts }) => sum + parts.reduce((all, part) => all + part.tokens, 0), 0),
  };
};

/** Time in which every group of a pipeline makes a round, once the pipeline is filled. */
export const periodNs = (rounds: readonly RoundTime[]): number =>
  Math.max(
    rounds.reduce((sum, { workNs }) => sum + workNs, 0),
    ...rounds.map(({ latencyNs }) => latencyNs),
  );
