/**
 * Schedules in which every rank passes whole models: one device, data parallelism, sharded weights, tensor parallelism.
 * A rank is a pipeline of its own whose stages, on one device, are the units that collectives move. Adapters, or
 * BatchLoRA groups, train one after another; of a round every rank takes its microbatches through all its stages, steps,
 * and goes on. The schedules differ in the collectives around the passes only.
 */
import type { FsdpSchedule } from '../experiment/schedule.ts';
import type { Plan, StagePlacement } from '../plan/plan.ts';
import { firstIterationOf, type Workload } from '../workload.ts';
import type { Group } from './groups.ts';
import { createPlanWriter, type PlanWriter, type Turn } from './plan-writer.ts';

/** One microbatch of a round on one rank. */
export interface RankPass {
  readonly writer: PlanWriter;
  /** Stages of the rank in the order of their layers. */
  readonly stages: readonly number[];
  readonly microbatch: number;
  readonly turns: readonly Turn[];
  /** Whether the rank's gradients of the round are complete after it. */
  readonly isLast: boolean;
}

/** Writes the passes of one microbatch, with the collectives around them. */
export interface RankStyle {
  /** `compute` writes a stage's forward, of rows to train on or to evaluate. */
  readonly forward: (pass: RankPass, compute: (stage: number) => void) => void;
  readonly backward: (pass: RankPass) => void;
}

export interface RankPlan {
  readonly schedule: string;
  readonly workload: Workload;
  readonly devices: readonly string[];
  /** Ranks in turn, each with the same cut of the layers. */
  readonly stages: readonly StagePlacement[];
  readonly groups: readonly Group[];
  /** Whether ranks share the microbatches of a round, or all take every one. */
  readonly sharesRows: boolean;
  readonly style: RankStyle;
}

export const planRanks = (request: RankPlan): Plan => {
  const { workload, groups, devices, stages } = request;
  const writer = createPlanWriter(workload, devices, stages);
  for (const [group, adapters] of groups.entries()) {
    for (let turns = nextTurns(workload, adapters, null); turns.length > 0; turns = nextTurns(workload, adapters, turns)) {
      for (const rank of devices.keys()) writeRound(request, writer, { group, turns, rank });
    }
  }
  return writer.build(request.schedule);
};

/** The next iteration of every adapter of the group that is not through; the first one of each where nothing came before. */
const nextTurns = ({ adapters }: Workload, group: Group, previous: readonly Turn[] | null): Turn[] =>
  group
    .map((adapter) => {
      if (previous === null) return { adapter, iteration: firstIterationOf(adapters[adapter]!) };
      const last = previous.find((turn) => turn.adapter === adapter);
      return { adapter, iteration: last === undefined ? Infinity : last.iteration + 1 };
    })
    .filter(({ adapter, iteration }) => iteration < adapters[adapter]!.iterations);

interface RankRound {
  readonly group: number;
  readonly turns: readonly Turn[];
  readonly rank: number;
}

/** Training microbatches forward and backward, held-out ones forward, all of them on every rank, then steps. */
const writeRound = (request: RankPlan, writer: PlanWriter, { group, turns, rank }: RankRound): void => {
  const { workload, devices, sharesRows, style } = request;
  const pieces = Math.max(...turns.map(({ adapter }) => workload.adapters[adapter]!.microbatches));
  const unitCount = request.stages.length / devices.length;
  const stages = Array.from({ length: unitCount }, (_, unit) => rank * unitCount + unit);
  const [first, apart] = sharesRows ? [rank, devices.length] : [0, 1];
  for (let index = first; index < pieces; index += apart) {
    const microbatch = writer.addMicrobatch(group, turns, index, rank);
    const pass = { writer, stages, microbatch, turns, isLast: index + apart >= pieces };
    style.forward(pass, (stage) => writer.forward(stage, microbatch, turns));
    style.backward(pass);
  }
  for (const turn of turns) {
    for (const microbatch of writer.addEvaluation(group, turn, rank)) {
      style.forward({ writer, stages, microbatch, turns, isLast: false }, (stage) => writer.evaluate(stage, microbatch));
    }
  }
  for (const stage of stages) writer.step(stage, turns);
};

const forwards: RankStyle['forward'] = ({ stages }, compute) => stages.forEach(compute);

/** One device, as PEFT on one GPU. */
export const ALONE: RankStyle = {
  forward: forwards,
  backward: ({ writer, stages, microbatch }) => stages.toReversed().forEach((stage) => writer.backward(stage, microbatch)),
};

/** A bucket's gradients are summed while the buckets before it are computed (Li et al. 2020, section 3.2.3). */
export const DATA_PARALLEL: RankStyle = {
  forward: forwards,
  backward: ({ writer, stages, microbatch, turns, isLast }) => {
    for (const stage of stages.toReversed()) {
      writer.backward(stage, microbatch);
      if (isLast) writer.reduce('allReduceGradients', stage, turns);
    }
  },
};

/** Partial results of a layer are summed before the next layer, or the one before it, goes on (Shoeybi et al. 2019). */
export const TENSOR_PARALLEL: RankStyle = {
  forward: ({ writer, stages, microbatch }, compute) => {
    for (const stage of stages) {
      compute(stage);
      writer.collective('allReduceForward', stage, microbatch);
    }
  },
  backward: ({ writer, stages, microbatch }) => {
    for (const stage of stages.toReversed()) {
      writer.backward(stage, microbatch);
      writer.collective('allReduceBackward', stage, microbatch);
    }
  },
};

export type ShardedOptions = Pick<FsdpSchedule, 'prefetch' | 'reshard'>;

/**
 * A unit's weights are gathered before its passes and given back behind them. With prefetch the next unit's gather
 * stands before a pass, so that it goes on beside it, and two units are there at a time (Zhao et al. 2023, section 3.3).
 */
export const sharded = ({ prefetch, reshard }: ShardedOptions): RankStyle => {
  const visit = (order: readonly number[], ahead: boolean, gather: (stage: number) => void, compute: (stage: number) => void): void => {
    for (const [position, stage] of order.entries()) {
      if (!ahead || position === 0) gather(stage);
      const next = order[position + 1];
      if (ahead && next !== undefined) gather(next);
      compute(stage);
    }
  };
  return {
    forward: ({ writer, stages, microbatch }, compute) =>
      visit(stages, prefetch !== 'none', (stage) => writer.collective('allGatherForward', stage, microbatch), compute),
    backward: ({ writer, stages, microbatch, turns, isLast }) =>
      visit(
        stages.toReversed(),
        prefetch === 'both',
        (stage) => {
          if (reshard) writer.collective('allGatherBackward', stage, microbatch);
        },
        (stage) => {
          writer.backward(stage, microbatch);
          if (isLast) writer.reduce('reduceScatterGradients', stage, turns);
        },
      ),
  };
};
