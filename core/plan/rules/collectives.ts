import { communicatorsOf } from '../collectives.ts';
import { KIND, STREAM, STREAM_OF_KIND, SUBJECT_OF_KIND } from '../op.ts';
import { opAt, type Program } from '../plan.ts';
import { formatOp } from '../text.ts';
import { forEachCell, type RuleInput } from './rule-input.ts';

/**
 * Weights are gathered before the pass that needs them, partial results summed after the pass that makes them, gradients
 * reduced between the iteration's backwards and its step; all devices of a communicator come to the same collectives in
 * the same order.
 */
export const checkCollectives = (input: RuleInput): void => {
  checkAroundPasses(input);
  checkGradients(input);
  checkOrder(input);
};

const checkAroundPasses = (input: RuleInput): void => {
  const { index, report } = input;
  forEachCell(input, (stage, microbatch, device) => {
    const forward = index.at(KIND.forward, stage, microbatch);
    const backward = index.backwardAt(stage, microbatch);
    const before = (kind: number, pass: number, name: string): void => {
      const position = index.at(kind, stage, microbatch);
      if (position >= 0 && position > pass) report('order', device, position, `gathers weights after ${name}, which needs them`);
    };
    const after = (kind: number, pass: number, name: string): void => {
      const position = index.at(kind, stage, microbatch);
      if (position >= 0 && position < pass) report('order', device, position, `sums results before ${name} makes them`);
    };
    before(KIND.allGatherForward, forward, `${stage}F${microbatch}`);
    before(KIND.allGatherBackward, backward, `${stage}B${microbatch}`);
    after(KIND.allReduceForward, forward, `${stage}F${microbatch}`);
    after(KIND.allReduceBackward, backward, `${stage}B${microbatch}`);
  });
};

const GRADIENT_KINDS = [KIND.allReduceGradients, KIND.reduceScatterGradients, KIND.allReduceNorm] as const;

const checkGradients = (input: RuleInput): void => {
  const { plan, index, report } = input;
  const { microbatches } = plan;
  forEachCell(input, (stage, microbatch, device) => {
    if (microbatches.forwardOnly[microbatch] === 1) return;
    const gradient = index.gradientAt(stage, microbatch);
    for (let p = microbatches.partStart[microbatch]!; p < microbatches.partStart[microbatch + 1]!; p++) {
      const adapter = microbatches.partAdapter[p]!;
      const iteration = microbatches.partIteration[p]!;
      const step = index.stepAt(stage, adapter, iteration);
      for (const kind of GRADIENT_KINDS) {
        const position = index.at(kind, stage, adapter, iteration);
        if (position < 0) continue;
        if (position < gradient) report('step', device, position, `comes before ${stage}B${microbatch}, a backward of its iteration`);
        if (step >= 0 && position > step) report('step', device, position, `comes after ${stage}STEP${adapter}.${iteration}`);
      }
    }
  });
};

/** Collectives of one communicator are told apart by their order alone, so it has to agree on all its devices. */
const checkOrder = ({ plan, report }: RuleInput): void => {
  const { members, of } = communicatorsOf(plan.stages);
  const sequences = plan.programs.map((program) => collectivesByCommunicator(program, of));
  for (const [communicator, devices] of members.entries()) {
    const [first, ...others] = devices;
    const wanted = sequences[first!]!.get(communicator) ?? [];
    for (const device of others) {
      const found = sequences[device]!.get(communicator) ?? [];
      const program = plan.programs[device]!;
      const differs = found.findIndex((position, at) => keyOf(program, position) !== keyOf(plan.programs[first!]!, wanted[at] ?? -1));
      if (differs >= 0) {
        const other = wanted[differs];
        const expected = other === undefined ? 'nothing more' : formatOp(opAt(plan.programs[first!]!, other));
        report('pairing', device, found[differs]!, `${plan.devices[first!]} comes to ${expected} here`);
      } else if (found.length < wanted.length) {
        report('pairing', first!, wanted[found.length]!, `${plan.devices[device]} does not come to it`);
      }
    }
  }
};

const collectivesByCommunicator = ({ length, kind, stage }: Program, of: (kind: number, stage: number) => number): Map<number, number[]> => {
  const found = new Map<number, number[]>();
  for (let position = 0; position < length; position++) {
    if (STREAM_OF_KIND[kind[position]!] !== STREAM.collective) continue;
    const communicator = of(kind[position]!, stage[position]!);
    const positions = found.get(communicator) ?? [];
    found.set(communicator, positions);
    positions.push(position);
  }
  return found;
};

/** What must agree: the kind, and the iteration where there is one; microbatches differ from rank to rank. */
const keyOf = ({ kind, operand, iteration }: Program, position: number): string => {
  if (position < 0) return '';
  const code = kind[position]!;
  return SUBJECT_OF_KIND[code] === 'iteration' ? `${code} ${operand[position]} ${iteration[position]}` : `${code}`;
};
