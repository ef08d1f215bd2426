/**
 * Who runs a collective together, and what waits for it.
 *
 * A communicator is a set of devices whose k-th collectives on it belong together, as with NCCL: the stages of equal
 * layers in several pipelines, or, for norms, all devices of one pipeline. A collective starts on a device once the
 * compute ops that stand before it in the program are done. What needs its result waits for it: see `findWaits`.
 */
import { KIND, STREAM, STREAM_OF_KIND, SUBJECT_OF_KIND } from './op.ts';
import { neighboursOf, pipelineOf } from './pipelines.ts';
import type { Plan, Program, StagePlacement } from './plan.ts';

export interface Communicators {
  /** Devices of each communicator, ascending. */
  readonly members: readonly (readonly number[])[];
  /** Communicator of a collective of a kind on a stage. */
  readonly of: (kind: number, stage: number) => number;
}

export const communicatorsOf = (stages: readonly StagePlacement[]): Communicators => {
  const numbers = new Map<string, number>();
  const devices: Set<number>[] = [];
  const join = (name: string, device: number): number => {
    const number = numbers.get(name) ?? devices.length;
    if (number === devices.length) devices.push(new Set());
    numbers.set(name, number);
    devices[number]!.add(device);
    return number;
  };
  const ofPeers = stages.map(({ firstLayer, endLayer, device }) => join(`layers ${firstLayer} ${endLayer}`, device));
  const ofPipeline = stages.map((stage) => join(`pipeline ${pipelineOf(stage)}`, stage.device));
  return {
    members: devices.map((set) => [...set].sort((a, b) => a - b)),
    of: (kind, stage) => (kind === KIND.allReduceNorm ? ofPipeline : ofPeers)[stage]!,
  };
};

/** Whether a collective gives every rank the whole sum: a reduce-scatter and an all-gather in one. */
export const isAllReduce = (kind: number): boolean =>
  isCollective(kind) && kind !== KIND.allGatherForward && kind !== KIND.allGatherBackward && kind !== KIND.reduceScatterGradients;

const isCollective = (kind: number): boolean => STREAM_OF_KIND[kind] === STREAM.collective;

export const hasCollectives = ({ programs }: Pick<Plan, 'programs'>): boolean =>
  programs.some(({ kind }) => kind.some(isCollective));

const NOTHING = -1;

/**
 * For every op of every program the position of the last collective on its device that it waits for, −1 where there is
 * none: a pass for the weights gathered for it and for the summed result of the stage before it, a send for the sum of
 * what it sends, a step for the reductions of its gradients and their norm. Empty for a plan without collectives.
 */
export const findWaits = (plan: Plan): readonly Int32Array[] => {
  if (!hasCollectives(plan)) return [];
  const { previous, next } = neighboursOf(plan.stages);
  return plan.programs.map((program) => {
    const positions = positionsOfCollectives(program);
    const at = (kind: number, stage: number, operand: number, iteration = 0): number =>
      positions.get(keyOf(kind, stage, operand, iteration)) ?? NOTHING;
    const reductions = lastReductions(program);
    const waitOf = (position: number): number => {
      const stage = program.stage[position]!;
      const operand = program.operand[position]!;
      switch (program.kind[position]) {
        case KIND.forward:
          return Math.max(at(KIND.allGatherForward, stage, operand), at(KIND.allReduceForward, previous[stage]!, operand));
        case KIND.backward:
        case KIND.backwardInput:
          return Math.max(
            at(KIND.allGatherBackward, stage, operand),
            // Where loss and backward follow on the last stage, its own partial results are summed first.
            at(KIND.allReduceForward, stage, operand),
            at(KIND.allReduceBackward, next[stage]!, operand),
          );
        case KIND.sendForward:
          return at(KIND.allReduceForward, stage, operand);
        case KIND.sendBackward:
          return at(KIND.allReduceBackward, stage, operand);
        case KIND.step:
          return reductions[position]!;
        default:
          return NOTHING;
      }
    };
    return Int32Array.from({ length: program.length }, (_, position) => waitOf(position));
  });
};

const keyOf = (kind: number, stage: number, operand: number, iteration: number): string => `${kind} ${stage} ${operand} ${iteration}`;

const positionsOfCollectives = ({ length, kind, stage, operand, iteration }: Program): Map<string, number> => {
  const positions = new Map<string, number>();
  for (let at = 0; at < length; at++) {
    if (isCollective(kind[at]!)) positions.set(keyOf(kind[at]!, stage[at]!, operand[at]!, iteration[at]!), at);
  }
  return positions;
};

/** At the positions of steps: the last gradient collective of the same adapter before it. */
const lastReductions = ({ length, kind, operand }: Program): Int32Array => {
  const latest = new Map<number, number>();
  const found = new Int32Array(length).fill(NOTHING);
  for (let at = 0; at < length; at++) {
    if (isCollective(kind[at]!) && SUBJECT_OF_KIND[kind[at]!] === 'iteration') latest.set(operand[at]!, at);
    if (kind[at] === KIND.step) found[at] = latest.get(operand[at]!) ?? NOTHING;
  }
  return found;
};
