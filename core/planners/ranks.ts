/**
 * Schedules in which every rank passes whole models: one device, data parallelism, sharded weights, tensor parallelism.
 * A rank is a pipeline of its own whose stages, on one device, are the units that collectives move. Adapters, or
 * BatchLoRA groups, train one after another; of a round every rank takes its microbatches through all its stages, steps,
 * and goes on. The schedules differ in the collectives around the passes only.
 */
import type { Plan, StagePlacement } from '../plan/plan.ts';
import type { Workload } from '../workload.ts';
import type { Group } from './groups.ts';
import { nextTurns } from './lorapp-state.ts';
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
export type WriteRankPass = (pass: RankPass) => void;

export interface RankPlan {
  readonly schedule: string;
  readonly workload: Workload;
  readonly devices: readonly string[];
  /** Ranks in turn, each with the same cut of the layers. */
  readonly stages: readonly StagePlacement[];
  readonly groups: readonly Group[];
  /** Whether ranks share the microbatches of a round, or all take every one. */
  readonly sharesRows: boolean;
  readonly writePass: WriteRankPass;
}

export const planRanks = (request: RankPlan): Plan => {
  const { workload, groups, devices, stages } = request;
  const writer = createPlanWriter(workload, devices, stages);
  for (const [group, adapters] of groups.entries()) {
    for (let turns = nextTurns(workload, adapters, null); turns.length > 0; turns = nextTurns(workload, adapters, turns)) {
      writeRound(request, writer, group, turns);
    }
  }
  return writer.build(request.schedule);
};

const writeRound = (request: RankPlan, writer: PlanWriter, group: number, turns: readonly Turn[]): void => {
  const { workload, devices, stages, sharesRows, writePass } = request;
  const ranks = devices.length;
  const pieces = Math.max(...turns.map(({ adapter }) => workload.adapters[adapter]!.microbatches));
  const stagesOfRank = stages.length / ranks;
  for (let rank = 0; rank < ranks; rank++) {
    const own = Array.from({ length: stagesOfRank }, (_, unit) => rank * stagesOfRank + unit);
    const [first, apart] = sharesRows ? [rank, ranks] : [0, 1];
    for (let index = first; index < pieces; index += apart) {
      const microbatch = writer.addMicrobatch(group, turns, index, rank);
      writePass({ writer, stages: own, microbatch, turns, isLast: index + apart >= pieces });
    }
    for (const stage of own) writer.step(stage, turns);
  }
};

const forwards = ({ writer, stages, microbatch, turns }: RankPass): void => {
  for (const stage of stages) writer.forward(stage, microbatch, turns);
};

/** One device, as PEFT on one GPU. */
export const writeAlone: WriteRankPass = (pass) => {
  forwards(pass);
  for (const stage of pass.stages.toReversed()) pass.writer.backward(stage, pass.microbatch);
};

/** A bucket's gradients are summed while the buckets before it are computed (Li et al. 2020, section 3.2.3). */
export const writeDataParallel: WriteRankPass = (pass) => {
  forwards(pass);
  for (const stage of pass.stages.toReversed()) {
    pass.writer.backward(stage, pass.microbatch);
    if (pass.isLast) pass.writer.reduce('allReduceGradients', stage, pass.turns);
  }
};

/** Partial results of a layer are summed before the next layer, or the one before it, goes on (Shoeybi et al. 2019). */
export const writeTensorParallel: WriteRankPass = ({ writer, stages, microbatch, turns }) => {
  for (const stage of stages) {
    writer.forward(stage, microbatch, turns);
    writer.collective('allReduceForward', stage, microbatch);
  }
  for (const stage of stages.toReversed()) {
    writer.backward(stage, microbatch);
    writer.collective('allReduceBackward', stage, microbatch);
  }
};

export interface ShardedOptions {
  readonly prefetch: boolean;
  readonly reshard: boolean;
}

/**
 * A unit's weights are gathered before its passes and given back behind them. With prefetch the next unit's gather
 * stands before a pass, so that it goes on beside it, and two units are there at a time (Zhao et al. 2023, section 3.3).
 */
export const writeSharded =
  ({ prefetch, reshard }: ShardedOptions): WriteRankPass =>
  ({ writer, stages, microbatch, turns, isLast }) => {
    const visit = (order: readonly number[], gather: (stage: number) => void, compute: (stage: number) => void): void => {
      for (const [position, stage] of order.entries()) {
        if (!prefetch || position === 0) gather(stage);
        const next = order[position + 1];
        if (prefetch && next !== undefined) gather(next);
        compute(stage);
      }
    };
    visit(
      stages,
      (stage) => writer.collective('allGatherForward', stage, microbatch),
      (stage) => writer.forward(stage, microbatch, turns),
    );
    visit(
      stages.toReversed(),
      (stage) => {
        if (reshard) writer.collective('allGatherBackward', stage, microbatch);
      },
      (stage) => {
        writer.backward(stage, microbatch);
        if (isLast) writer.reduce('reduceScatterGradients', stage, turns);
      },
    );
  };
