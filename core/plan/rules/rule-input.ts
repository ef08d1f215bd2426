import type { Plan } from '../plan.ts';
import { pipelineOf, type Neighbours } from '../pipelines.ts';
import type { PositionIndex } from '../position-index.ts';
import type { Rule } from '../violation.ts';

/** Notes a violation; position −1 is the program as a whole. */
export type Report = (rule: Rule, device: number, position: number, message: string) => void;

/** What every rule looks at. */
export interface RuleInput {
  readonly plan: Plan;
  readonly index: PositionIndex;
  readonly neighbours: Neighbours;
  readonly report: Report;
}

/** Calls back for every stage and every microbatch that passes it. */
export const forEachCell = ({ plan }: RuleInput, visit: (stage: number, microbatch: number, device: number) => void): void => {
  for (const [stage, placement] of plan.stages.entries()) {
    for (let microbatch = 0; microbatch < plan.microbatches.length; microbatch++) {
      if (plan.microbatches.pipeline[microbatch] === pipelineOf(placement)) visit(stage, microbatch, placement.device);
    }
  }
};
