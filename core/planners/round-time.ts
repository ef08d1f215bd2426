import { activationTotalBytes, adapterTotalBytes, type CostModel } from '../cost-model.ts';
import type { MicrobatchShape } from '../plan/plan.ts';
import { memoizeShapeCosts, opNs, type ShapeCost } from '../shape-costs.ts';
import type { AdapterWorkload } from '../workload.ts';

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

/** Rows of unequal length are averaged over this many iterations. */
const SAMPLED_ITERATIONS = 8;

/** Mean time of a round of jobs that share microbatches; `adapters` names them to the cost model. */
export const meanRoundTime = (pipeline: PipelineTimes, jobs: readonly AdapterWorkload[], adapters: readonly number[]): RoundTime => {
  const rounds = sampledIterations(jobs[0]!).map((iteration) => roundTime(pipeline, roundShapes(jobs, adapters, iteration), adapters));
  const mean = (pick: (round: RoundTime) => number): number => rounds.reduce((sum, round) => sum + pick(round), 0) / rounds.length;
  return { workNs: mean(({ workNs }) => workNs), latencyNs: mean(({ latencyNs }) => latencyNs), busyNs: mean(({ busyNs }) => busyNs), tokens: mean(({ tokens }) => tokens) };
};

const sampledIterations = ({ iterations, part }: AdapterWorkload): number[] => {
  const isEven = part(0, 0).tokens === part(1, 0).tokens && part(0, 0).squaredTokens === part(1, 0).squaredTokens;
  return Array.from({ length: isEven ? 1 : Math.min(SAMPLED_ITERATIONS, iterations) }, (_, iteration) => iteration);
};

/** Microbatches of a group's round. */
const roundShapes = (jobs: readonly AdapterWorkload[], adapters: readonly number[], iteration: number): MicrobatchShape[] => {
  const count = Math.max(...jobs.map(({ microbatches }) => microbatches));
  return Array.from({ length: count }, (_, index) => ({
    parts: jobs.flatMap(({ microbatches, part }, at) => (index < microbatches ? [{ adapter: adapters[at]!, ...part(iteration, index) }] : [])),
  }));
};

/** What a job may hold on each device: its adapter, the activations of a whole mini-batch, and what a pass over it needs. */
export const jobBytes = ({ cost, deviceOfStage, deviceCount }: PipelineTimes, adapter: number, minibatch: MicrobatchShape): number[] => {
  const held = new Array<number>(deviceCount).fill(0);
  for (const [stage, device] of deviceOfStage.entries()) held[device]! += adapterTotalBytes(cost, stage, adapter) + activationTotalBytes(cost, stage, minibatch);
  return transientBytes({ cost, deviceOfStage, deviceCount }, minibatch).map((bytes, device) => bytes + held[device]!);
};

/** What a pass over a microbatch needs beside what it keeps, on each device. */
export const transientBytes = ({ cost, deviceOfStage, deviceCount }: Omit<PipelineTimes, 'transferNs'>, shape: MicrobatchShape): number[] => {
  const most = new Array<number>(deviceCount).fill(0);
  for (const [stage, device] of deviceOfStage.entries()) {
    const { forward, backward } = cost.transientBytes(stage, shape);
    most[device] = Math.max(most[device]!, forward, backward);
  }
  return most;
};

/** Time in which every group of a pipeline makes a round, once the pipeline is filled. */
export const periodNs = (rounds: readonly RoundTime[]): number =>
  Math.max(
    rounds.reduce((sum, { workNs }) => sum + workNs, 0),
    ...rounds.map(({ latencyNs }) => latencyNs),
  );
