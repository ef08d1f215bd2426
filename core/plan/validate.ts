/**
 * Checks a plan against the rules that make a run right, and returns every violation.
 *
 * Positions of all ops are indexed first; each rule then compares positions. Transfers between devices are checked for
 * their pairs here and for deadlock in `deadlock.ts`, memory in `memory-need.ts`.
 */
import type { CostModel } from '../cost-model.ts';
import { formatBytes } from '../units.ts';
import { findDeadlock } from './deadlock.ts';
import { largestClass, memoryNeed } from './memory-need.ts';
import { KIND, OP_KINDS } from './op.ts';
import { opAt, type Plan } from './plan.ts';
import { indexPositions, type PositionIndex } from './position-index.ts';
import { formatOp } from './text.ts';
import type { Rule, Violation } from './violation.ts';

export interface ValidateOptions {
  /** With both, bytes held are checked too. */
  readonly cost?: CostModel;
  readonly capacityBytes?: readonly number[];
  /** Evaluation plans have no backwards, steps and life-cycle ops. */
  readonly forwardOnly?: boolean;
}

/** All violations, in order of device and position; empty for a valid plan. */
export const validate = (plan: Plan, options: ValidateOptions = {}): Violation[] => {
  const { index, violations } = indexPositions(plan);
  const report = (rule: Rule, device: number, position: number, message: string): void => {
    violations.push({ rule, device, position, message });
  };
  checkMicrobatches(plan, index, report, options.forwardOnly ?? false);
  checkTransfers(plan, index, report);
  if (options.forwardOnly !== true) {
    checkSteps(plan, index, report);
    checkLifecycle(plan, index, report);
  }
  if (violations.length === 0) checkDeadlock(plan, report);
  checkMemory(plan, options, report);
  return violations.sort((a, b) => a.device - b.device || a.position - b.position);
};

type Report = (rule: Rule, device: number, position: number, message: string) => void;

const checkMicrobatches = (plan: Plan, index: PositionIndex, report: Report, forwardOnly: boolean): void => {
  for (const [stage, { device }] of plan.stages.entries()) {
    for (let microbatch = 0; microbatch < plan.microbatches.length; microbatch++) {
      const forward = index.at(KIND.forward, stage, microbatch);
      if (forward < 0) report('missing', device, -1, `${stage}F${microbatch} is missing`);
      else checkInput(plan, index, report, KIND.forward, stage, microbatch);
      if (forwardOnly) continue;
      const backward = index.at(KIND.backward, stage, microbatch);
      if (backward < 0) report('missing', device, -1, `${stage}B${microbatch} is missing`);
      else {
        if (backward < forward) report('order', device, backward, `comes before its forward ${stage}F${microbatch}`);
        checkInput(plan, index, report, KIND.backward, stage, microbatch);
      }
    }
  }
};

/** The data an op takes from a neighbouring stage must be there: computed on the device before, or received before. */
const checkInput = (plan: Plan, index: PositionIndex, report: Report, kind: 0 | 1, stage: number, microbatch: number): void => {
  const from = kind === KIND.forward ? stage - 1 : stage + 1;
  const { device } = plan.stages[stage]!;
  const source = plan.stages[from];
  if (source === undefined) return;
  const local = source.device === device;
  const receive = kind === KIND.forward ? KIND.receiveForward : KIND.receiveBackward;
  const input = local ? index.at(kind, from, microbatch) : index.at(receive, stage, microbatch);
  const name = local
    ? formatOp({ kind: OP_KINDS[kind], stage: from, microbatch })
    : formatOp({ kind: OP_KINDS[receive], stage, microbatch });
  const position = index.at(kind, stage, microbatch);
  if (input < 0) report('order', device, position, `its input ${name} is missing`);
  else if (input > position) report('order', device, position, `its input ${name} comes later`);
};

const SENDS = [
  { send: KIND.sendForward, receive: KIND.receiveForward, producer: KIND.forward, hop: 1 },
  { send: KIND.sendBackward, receive: KIND.receiveBackward, producer: KIND.backward, hop: -1 },
] as const;

const checkTransfers = (plan: Plan, index: PositionIndex, report: Report): void => {
  for (const [stage, { device }] of plan.stages.entries()) {
    for (const { send, receive, producer, hop } of SENDS) {
      for (let microbatch = 0; microbatch < plan.microbatches.length; microbatch++) {
        const sent = index.at(send, stage, microbatch);
        const received = index.at(receive, stage + hop, microbatch);
        if (sent < 0 && received < 0) continue;
        const peer = plan.stages[stage + hop];
        if (sent >= 0) {
          if (peer === undefined || peer.device === device) report('pairing', device, sent, 'has no stage on another device to send to');
          else if (received < 0) report('pairing', device, sent, `nobody receives it on ${plan.devices[peer.device]}`);
          if (index.at(producer, stage, microbatch) > sent) report('order', device, sent, 'sends what is computed later');
        } else if (peer !== undefined) report('pairing', peer.device, received, `nobody sends it on ${plan.devices[device]}`);
      }
    }
  }
};

const checkSteps = (plan: Plan, index: PositionIndex, report: Report): void => {
  const { microbatches } = plan;
  for (const [stage, { device }] of plan.stages.entries()) {
    for (let microbatch = 0; microbatch < microbatches.length; microbatch++) {
      for (let p = microbatches.partStart[microbatch]!; p < microbatches.partStart[microbatch + 1]!; p++) {
        const adapter = microbatches.partAdapter[p]!;
        const iteration = microbatches.partIteration[p]!;
        const step = index.stepAt(stage, adapter, iteration);
        if (step < 0) {
          if (microbatches.partIndex[p] === 0) report('missing', device, -1, `${stage}STEP${adapter}.${iteration} is missing`);
          continue;
        }
        const backward = index.at(KIND.backward, stage, microbatch);
        if (backward > step) report('step', device, step, `steps before ${stage}B${microbatch}, a backward of its iteration`);
        const before = iteration === 0 ? -1 : index.stepAt(stage, adapter, iteration - 1);
        const forward = index.at(KIND.forward, stage, microbatch);
        if (before >= 0 && forward >= 0 && forward < before) {
          report('step', device, forward, `runs before ${stage}STEP${adapter}.${iteration - 1}, with weights one step old`);
        }
      }
    }
  }
  for (const { stage, adapter, iteration, position } of index.strayPositions()) {
    report('step', plan.stages[stage]!.device, position, `adapter ${adapter} has no microbatch in iteration ${iteration}`);
  }
};

const checkLifecycle = (plan: Plan, index: PositionIndex, report: Report): void => {
  for (const [stage, { device }] of plan.stages.entries()) {
    for (const adapter of plan.adapters.keys()) {
      const used = index.usedBetween(stage, adapter);
      if (used === null) continue;
      const load = index.at(KIND.load, stage, adapter);
      const save = index.at(KIND.save, stage, adapter);
      const release = index.at(KIND.release, stage, adapter);
      if (load < 0) report('lifecycle', device, -1, `${stage}LOAD${adapter} is missing`);
      else if (load > used.first) report('lifecycle', device, load, `adapter ${adapter} is used before it is loaded`);
      if (save < 0) report('lifecycle', device, -1, `${stage}SAVE${adapter} is missing`);
      else if (save < used.last) report('lifecycle', device, save, `adapter ${adapter} is saved before its last op`);
      if (release >= 0 && release < Math.max(used.last, save)) report('lifecycle', device, release, `adapter ${adapter} is released before its last op`);
    }
  }
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
