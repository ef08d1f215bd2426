import { KIND, OP_KINDS } from '../op.ts';
import { formatOp } from '../text.ts';
import { forEachCell, type RuleInput } from './rule-input.ts';

/**
 * Every microbatch passes every stage of its pipeline forward and, unless it is evaluated only, backward, in one piece or
 * in two; a pass comes after those whose results it takes.
 */
export const checkPasses = (input: RuleInput): void => {
  const { plan, index, report } = input;
  forEachCell(input, (stage, microbatch, device) => {
    const forward = index.at(KIND.forward, stage, microbatch);
    if (forward < 0) report('missing', device, -1, `${stage}F${microbatch} is missing`);
    else checkInput(input, KIND.forward, stage, microbatch);
    if (plan.microbatches.forwardOnly[microbatch] === 1) checkNoBackward(input, stage, microbatch, device);
    else checkBackward(input, stage, microbatch, device);
  });
};

const checkNoBackward = ({ index, report }: RuleInput, stage: number, microbatch: number, device: number): void => {
  for (const position of [index.backwardAt(stage, microbatch), index.at(KIND.backwardWeight, stage, microbatch)]) {
    if (position >= 0) report('known', device, position, `microbatch ${microbatch} is evaluated only`);
  }
};

const checkBackward = (input: RuleInput, stage: number, microbatch: number, device: number): void => {
  const { index, report } = input;
  const forward = index.at(KIND.forward, stage, microbatch);
  const whole = index.at(KIND.backward, stage, microbatch);
  const first = index.at(KIND.backwardInput, stage, microbatch);
  const second = index.at(KIND.backwardWeight, stage, microbatch);
  if (whole >= 0) {
    for (const half of [first, second]) if (half >= 0) report('once', device, half, `${stage}B${microbatch} at position ${whole} does it already`);
  } else if (first < 0 && second < 0) report('missing', device, -1, `${stage}B${microbatch} is missing`);
  else if (first < 0) report('missing', device, -1, `${stage}I${microbatch} is missing`);
  else if (second < 0) report('missing', device, -1, `${stage}W${microbatch} is missing`);
  else if (second < first) report('order', device, second, `comes before ${stage}I${microbatch}`);
  const backward = index.backwardAt(stage, microbatch);
  if (backward < 0) return;
  if (backward < forward) report('order', device, backward, `comes before its forward ${stage}F${microbatch}`);
  checkInput(input, whole >= 0 ? KIND.backward : KIND.backwardInput, stage, microbatch);
};

type Pass = typeof KIND.forward | typeof KIND.backward | typeof KIND.backwardInput;

/** The data an op takes from a neighbouring stage must be there: computed on the device before, or received before. */
const checkInput = (input: RuleInput, kind: Pass, stage: number, microbatch: number): void => {
  const { plan, index, neighbours, report } = input;
  const isForward = kind === KIND.forward;
  const from = (isForward ? neighbours.previous : neighbours.next)[stage]!;
  if (from < 0) return;
  const { device } = plan.stages[stage]!;
  const local = plan.stages[from]!.device === device;
  const receive = isForward ? KIND.receiveForward : KIND.receiveBackward;
  const computed = isForward ? index.at(kind, from, microbatch) : index.backwardAt(from, microbatch);
  const found = local ? computed : index.at(receive, stage, microbatch);
  const name = local
    ? formatOp({ kind: OP_KINDS[kind], stage: from, microbatch })
    : formatOp({ kind: OP_KINDS[receive], stage, microbatch });
  const position = index.at(kind, stage, microbatch);
  if (found < 0) report('order', device, position, `its input ${name} is missing`);
  else if (found > position) report('order', device, position, `its input ${name} comes later`);
};
