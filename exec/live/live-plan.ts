import type { CostModel } from '../../core/cost-model.ts';
import { KIND } from '../../core/plan/op.ts';
import type { StagePlacement } from '../../core/plan/plan.ts';
import { extendUntil } from '../../core/planners/lorapp.ts';
import { joinLorapp, leaveLorapp, regroupLorapp, type ChangingPlan } from '../../core/planners/lorapp-changes.ts';
import { startLorapp } from '../../core/planners/lorapp-state.ts';
import { createPlanPieces, oldestMicrobatch, type PlanPiece } from '../../core/planners/plan-pieces.ts';
import { createOpWriter } from '../../core/planners/plan-writer.ts';
import type { AdapterWorkload } from '../../core/workload.ts';

/**
 * Forwards and backwards of the first stage that are planned beyond the one it is at. It lets everything into the pipeline,
 * so whatever the other ranks could do meanwhile is planned too; more would only make decisions take effect later.
 */
const PASSES_AHEAD = 2;

/** The plan of a live run, for as long as one crew lives. A stay of a job on the pipeline is an adapter of it. */
export interface LivePlan {
  /** Returns the stay's number; stays are numbered over all plans of a run. */
  readonly join: (job: AdapterWorkload) => number;
  /** Ends a stay at its next iteration end; returns the iterations that its job will have made. */
  readonly leave: (stay: number) => number;
  readonly regroup: (groups: readonly (readonly number[])[]) => void;
  /** Whether ops of a stay were handed out. */
  readonly hasBegun: (stay: number) => boolean;
  /** What the ranks are to do next, when the one of the first stage has begun so many passes; null: they have enough. */
  readonly grow: (passesBegun: number) => PlanPiece | null;
  readonly nextMicrobatch: () => number;
}

export interface LivePlanOptions {
  readonly stages: readonly StagePlacement[];
  readonly cost: CostModel;
  readonly transferNs: (fromStage: number, toStage: number, bytes: number) => number;
  readonly budgetBytes: readonly number[];
  /** Stays of the plans before. */
  readonly stays: AdapterWorkload[];
  readonly firstMicrobatch: number;
}

export const createLivePlan = ({ stages, cost, transferNs, budgetBytes, stays, firstMicrobatch }: LivePlanOptions): LivePlan => {
  const problem = {
    workload: { adapters: stays },
    groups: [],
    deviceOfStage: stages.map(({ device }) => device),
    cost,
    transferNs,
    memoryBudgets: budgetBytes,
    order: '1f1b',
    release: 'staggered',
    extraInFlight: 'auto',
  } as const;
  const pieces = createPlanPieces(budgetBytes.length, stages, firstMicrobatch);
  const plan: ChangingPlan = { problem, writer: createOpWriter(problem.workload, stages, pieces) };
  const first = stages[0]!.device;
  let state = startLorapp(problem);
  const begun = new Set<number>();
  const take = (): PlanPiece | null => {
    pieces.forget(oldestMicrobatch(state));
    const piece = pieces.take();
    for (const { kind, operand, length } of piece.programs) {
      for (let position = 0; position < length; position++) if (kind[position] === KIND.load) begun.add(operand[position]!);
    }
    return piece.programs.some(({ length }) => length > 0) || piece.microbatches.length > 0 ? piece : null;
  };
  return {
    join: (job) => joinLorapp(plan, state, { ...job, arrivalNs: state.nowNs }),
    leave: (stay) => leaveLorapp(plan, state, stay),
    regroup: (groups) => regroupLorapp(plan, state, groups, state.nowNs),
    hasBegun: (stay) => begun.has(stay),
    grow: (passesBegun) => {
      const isEnough = (): boolean => pieces.passes(first) >= passesBegun + PASSES_AHEAD;
      while (!isEnough()) {
        state = extendUntil(problem, state, plan.writer, isEnough);
        if (state.ended === null) break;
      }
      return take();
    },
    nextMicrobatch: pieces.nextMicrobatch,
  };
};
