/**
 * Checks a plan against the rules that make a run right, and returns every violation.
 *
 * Positions of all ops are indexed first; each rule then compares positions (rules/). Deadlock is looked for by running
 * the plan without time (`deadlock.ts`), memory is added up in `memory-need.ts`.
 */
import type { CostModel } from '../cost-model.ts';
import { formatBytes } from '../units.ts';
import { findDeadlock } from './deadlock.ts';
import { largestClass, memoryNeed } from './memory-need.ts';
import { neighboursOf } from './pipelines.ts';
import { opAt, type Plan } from './plan.ts';
import { indexPositions } from './position-index.ts';
import { checkCollectives } from './rules/collectives.ts';
import { checkLifecycle } from './rules/lifecycle.ts';
import { checkPasses } from './rules/passes.ts';
import type { Report, RuleInput } from './rules/rule-input.ts';
import { checkSteps } from './rules/steps.ts';
import { checkTransfers } from './rules/transfers.ts';
import { formatOp } from './text.ts';
import type { Violation } from './violation.ts';

/** With both, bytes held are checked too. */
export interface ValidateOptions {
  readonly cost?: CostModel;
  readonly capacityBytes?: readonly number[];
}

/** All violations, in order of device and position; empty for a valid plan. */
export const validate = (plan: Plan, options: ValidateOptions = {}): Violation[] => {
  const { index, violations } = indexPositions(plan);
  const report: Report = (rule, device, position, message) => void violations.push({ rule, device, position, message });
  const input: RuleInput = { plan, index, neighbours: neighboursOf(plan.stages), report };
  checkPasses(input);
  checkTransfers(input);
  checkCollectives(input);
  checkSteps(input);
  checkLifecycle(input);
  if (violations.length === 0) checkDeadlock(plan, report);
  checkMemory(plan, options, report);
  return violations.sort((a, b) => a.device - b.device || a.position - b.position);
};

const checkDeadlock = (plan: Plan, report: Report): void => {
  for (const { device, position, stream } of findDeadlock(plan)) {
    report('deadlock', device, position, `the ${stream} stream waits for ever at ${formatOp(opAt(plan.programs[device]!, position))}`);
  }
};

const checkMemory = (plan: Plan, { cost, capacityBytes }: ValidateOptions, report: Report): void => {
  if (cost === undefined || capacityBytes === undefined) return;
  for (const device of plan.programs.keys()) {
    const need = memoryNeed(plan, cost, device);
    const capacity = capacityBytes[device]!;
    if (need.totalBytes <= capacity) continue;
    const largest = largestClass(need);
    report('memory', device, need.position, `${formatBytes(need.totalBytes)} held, ${formatBytes(capacity)} there; most is ${largest}`);
  }
};
