import { KIND } from '../op.ts';
import { forEachCell, type RuleInput } from './rule-input.ts';

/**
 * The step of an iteration follows all its backwards on its stage and precedes whatever uses the stepped weights: the
 * forwards of the next iteration, and held-out rows evaluated with them.
 */
export const checkSteps = (input: RuleInput): void => {
  const { plan, index, report } = input;
  const { microbatches } = plan;
  const missing = new Map<string, number>();
  forEachCell(input, (stage, microbatch, device) => {
    const evaluated = microbatches.forwardOnly[microbatch] === 1;
    for (let p = microbatches.partStart[microbatch]!; p < microbatches.partStart[microbatch + 1]!; p++) {
      const adapter = microbatches.partAdapter[p]!;
      const iteration = microbatches.partIteration[p]!;
      const step = index.stepAt(stage, adapter, iteration);
      const forward = index.at(KIND.forward, stage, microbatch);
      if (evaluated && step >= 0 && forward > step) report('step', device, forward, `runs after ${stage}STEP${adapter}.${iteration}, with weights one step new`);
      if (!evaluated && step >= 0) checkStep(input, stage, microbatch, step);
      if (!evaluated && step < 0) missing.set(`${stage}STEP${adapter}.${iteration}`, device);
      const before = iteration === 0 ? -1 : index.stepAt(stage, adapter, iteration - 1);
      if (before >= 0 && forward >= 0 && forward < before) {
        report('step', device, forward, `runs before ${stage}STEP${adapter}.${iteration - 1}, with weights one step old`);
      }
    }
  });
  for (const [step, device] of missing) report('missing', device, -1, `${step} is missing`);
  for (const { stage, adapter, iteration, position } of index.strayPositions()) {
    report('step', plan.stages[stage]!.device, position, `adapter ${adapter} has no microbatch in iteration ${iteration}`);
  }
};

const checkStep = ({ plan, index, report }: RuleInput, stage: number, microbatch: number, step: number): void => {
  if (index.gradientAt(stage, microbatch) <= step) return;
  report('step', plan.stages[stage]!.device, step, `steps before ${stage}B${microbatch}, a backward of its iteration`);
};
