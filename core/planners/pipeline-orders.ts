/**
 * Orders of one mini-batch in a pipeline, in closed form: for each device the passes of its stages. Stage s of an order
 * is on device s, of an interleaved one on device s mod D, of a V-shaped one on device s on the way there and
 * 2D − 1 − s on the way back.
 */
import type { ComputeOpKind } from '../plan/op.ts';

/** One pass of microbatch `index` of the mini-batch. */
export interface Pass {
  readonly kind: ComputeOpKind;
  readonly stage: number;
  readonly index: number;
}

/** By device. */
export type PipelineOrder = readonly (readonly Pass[])[];

const indices = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const pass = (kind: ComputeOpKind, stage: number, index: number): Pass => ({ kind, stage, index });

/** All forwards, then all backwards (Huang et al. 2019). */
export const gpipeOrder = (stageCount: number, microbatches: number): PipelineOrder =>
  indices(stageCount).map((stage) => [
    ...indices(microbatches).map((index) => pass('forward', stage, index)),
    ...indices(microbatches).map((index) => pass('backward', stage, index)),
  ]);

/** Warm-up forwards, then one forward and one backward in turn, then the remaining backwards. */
const alternate = (forwards: readonly Pass[], backwards: readonly Pass[], warmUp: number): Pass[] => [
  ...forwards.slice(0, warmUp),
  ...forwards.slice(warmUp).flatMap((forward, position) => [forward, backwards[position]!]),
  ...backwards.slice(forwards.length - warmUp),
];

/** 1F1B (Narayanan et al. 2019). */
export const oneForwardOneBackwardOrder = (stageCount: number, microbatches: number): PipelineOrder =>
  indices(stageCount).map((stage) =>
    alternate(
      indices(microbatches).map((index) => pass('forward', stage, index)),
      indices(microbatches).map((index) => pass('backward', stage, index)),
      Math.min(microbatches, stageCount - 1 - stage),
    ),
  );

/**
 * Microbatches of a mini-batch in rounds of at least one per device, as even as possible, longer rounds first; one round
 * where there are fewer. Megatron allows multiples of the device count only, PyTorch equal rounds only.
 */
const roundsOf = (deviceCount: number, microbatches: number): number[][] => {
  const count = Math.max(1, Math.floor(microbatches / deviceCount));
  const starts = indices(count + 1).map((round) => Math.floor(microbatches / count) * round + Math.min(round, microbatches % count));
  return indices(count).map((round) => indices(starts[round + 1]! - starts[round]!).map((offset) => starts[round]! + offset));
};

/**
 * Interleaved 1F1B (Narayanan et al. 2021, section 2.2): a device takes a round of microbatches through its first chunk
 * of layers, then through the next, backward in reverse, with (v − 1)·(round) + 2·(D − 1 − device) forwards to warm up.
 */
export const interleavedOrder = (deviceCount: number, chunks: number, microbatches: number): PipelineOrder => {
  const rounds = roundsOf(deviceCount, microbatches);
  const longest = rounds[0]!.length;
  return indices(deviceCount).map((device) => {
    const passes = (kind: ComputeOpKind, order: readonly number[]): Pass[] =>
      rounds.flatMap((round) => order.flatMap((chunk) => round.map((index) => pass(kind, chunk * deviceCount + device, index))));
    const warmUp = Math.min((chunks - 1) * longest + 2 * (deviceCount - 1 - device), chunks * microbatches);
    return alternate(passes('forward', indices(chunks)), passes('backward', indices(chunks).toReversed()), warmUp);
  });
};

/** Splits a pass list's backwards; the second half of each follows `delay` backwards of its device later, or at the end. */
const splitBackwards = (passes: readonly Pass[], delay: number): Pass[] => {
  const split: Pass[] = [];
  const waiting: Pass[] = [];
  for (const each of passes) {
    if (each.kind !== 'backward') {
      split.push(each);
      continue;
    }
    split.push({ ...each, kind: 'backwardInput' });
    waiting.push({ ...each, kind: 'backwardWeight' });
    if (waiting.length > delay) split.push(waiting.shift()!);
  }
  return [...split, ...waiting];
};

/**
 * ZB-H1 (Qi et al. 2024, section 2.2): 1F1B whose weight gradients stage s puts off by s microbatches, so that input
 * gradients come back sooner and the put-off work fills the end. As much memory as 1F1B on the first stage.
 */
export const zeroBubbleOrder = (stageCount: number, microbatches: number): PipelineOrder =>
  oneForwardOneBackwardOrder(stageCount, microbatches).map((passes, stage) => splitBackwards(passes, stage));

/**
 * ZB-V (Qi et al. 2024, section 6): device d holds stages d and 2D − 1 − d, so that the loss is on the first device and
 * a microbatch's backward can begin at once. With T_F = T_I = T_W and 2D − 1 or more microbatches no device idles
 * between its first and last op. Written for that many and more; fewer leave out what they do not have.
 */
export const zeroBubbleVOrder = (deviceCount: number, microbatches: number): PipelineOrder =>
  indices(deviceCount).map((device) => vPasses(deviceCount, device, Math.max(microbatches, 2 * deviceCount - 1)).filter(({ index }) => index < microbatches));

const vPasses = (deviceCount: number, device: number, microbatches: number): Pass[] => {
  const passes: Pass[] = [];
  const stages = [device, 2 * deviceCount - 1 - device] as const;
  const next = { forward: [0, 0], backwardInput: [0, 0], backwardWeight: [0, 0] };
  const take = (kind: keyof typeof next, chunk: 0 | 1): void => {
    passes.push(pass(kind, stages[chunk], next[kind][chunk]!++));
  };
  const backward = (chunk: 0 | 1): void => {
    take('backwardInput', chunk);
    take('backwardWeight', chunk);
  };
  const times = (count: number, act: () => void): void => {
    for (let done = 0; done < count; done++) act();
  };
  times(2 * (deviceCount - device) - 1, () => take('forward', 0));
  times(device, () => {
    take('forward', 1);
    take('forward', 0);
  });
  times(deviceCount - device, () => {
    take('forward', 1);
    backward(1);
  });
  while (next.forward[1]! < microbatches) {
    if (next.forward[0]! < microbatches) take('forward', 0);
    backward(0);
    take('forward', 1);
    backward(1);
  }
  times(device, () => {
    take('backwardInput', 0);
    take('backwardInput', 1);
  });
  times(deviceCount - device, () => {
    take('backwardInput', 0);
    take('backwardWeight', 0);
  });
  for (const chunk of [1, 0] as const) times(microbatches - next.backwardWeight[chunk]!, () => take('backwardWeight', chunk));
  return passes;
};
