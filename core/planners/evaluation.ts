import type { CostModel } from '../cost-model.ts';
import { createMicrobatchBuilder, createProgramBuilder } from '../plan/builders.ts';
import { lowerTransfers } from '../plan/lower-transfers.ts';
import { KIND } from '../plan/op.ts';
import type { Plan, PlanTables } from '../plan/plan.ts';
import type { PartSize } from '../workload.ts';

/** Held-out rows of one adapter, cut into microbatches. */
export interface EvaluationWorkload {
  readonly adapter: number;
  readonly microbatches: readonly PartSize[];
}

/**
 * A plan of forwards only: every stage passes the held-out microbatches on in the same order, adapters in turn.
 * Microbatch `index` of an adapter is part (adapter, iteration 0, index).
 */
export const planEvaluation = (
  tables: Pick<PlanTables, 'devices' | 'adapters' | 'arrivalsNs' | 'stages'>,
  workload: readonly EvaluationWorkload[],
  cost: CostModel,
): Plan => {
  const microbatches = createMicrobatchBuilder();
  const programs = tables.devices.map(() => createProgramBuilder());
  const longest = Math.max(0, ...workload.map((each) => each.microbatches.length));
  for (let index = 0; index < longest; index++) {
    for (const [group, { adapter, microbatches: sizes }] of workload.entries()) {
      const size = sizes[index];
      if (size === undefined) continue;
      const microbatch = microbatches.push(group, [{ adapter, iteration: 0, index, ...size }], { forwardOnly: true });
      for (const [stage, { device }] of tables.stages.entries()) programs[device]!.push(KIND.forward, stage, microbatch, 0);
    }
  }
  const plan: Plan = {
    schedule: 'evaluation',
    devices: tables.devices,
    adapters: tables.adapters,
    arrivalsNs: tables.arrivalsNs,
    stages: tables.stages,
    shapes: microbatches.shapes(),
    microbatches: microbatches.build(),
    programs: programs.map((program) => program.build()),
  };
  return lowerTransfers(plan, cost, () => 0);
};
