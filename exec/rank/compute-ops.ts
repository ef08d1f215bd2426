import type { Tensor2D } from '@tensorflow/tfjs-core';
import { setTimeout } from 'node:timers/promises';
import type { IterationOpKind, LifecycleOpKind, Op } from '../../core/plan/op.ts';
import { NS_PER_MS } from '../../core/units.ts';
import type { PartLoss } from '../stage.ts';
import { frameName, type FrameKey } from '../transport/transport.ts';
import { deliver, tensorBytes, type Exchange } from './exchange.ts';
import { normOf } from './collective-ops.ts';
import { stageOf, type Execution } from './execution.ts';
import type { OpenAdapter } from './halt.ts';

/**
 * Runs the op's work, then records its span and what it left in memory. A device that computes behind the calls is waited
 * for: a span is the time of the work, not of its launch.
 */
const measure = async (execution: Execution, op: Op, input: Tensor2D | null, work: () => Tensor2D | null): Promise<void> => {
  const { observer, now, heldBytes, finish } = execution;
  const before = heldBytes();
  const startNs = now();
  const output = work();
  const held = heldBytes() - before;
  const bytes = { held, input: tensorBytes(input), output: tensorBytes(output) };
  if (finish !== null) await finish();
  const endNs = now();
  observer.span(op, startNs, endNs);
  observer.computed(op, endNs, bytes);
};

type Report = (losses: readonly PartLoss[]) => void;

/** Losses are read back while later ops run; the next forward waits for them, so a failure ends the run soon. */
const readLosses = (exchange: Exchange, losses: Promise<readonly PartLoss[]>, report: Report): void => {
  exchange.reading = losses.then(report);
  exchange.reading.catch(() => undefined);
};

export const forward = async (execution: Execution, exchange: Exchange, op: Op, key: FrameKey): Promise<void> => {
  const { stage, microbatch } = key;
  const { observer } = execution;
  const input = stage === 0 ? null : await exchange.inputs.take(frameName(key));
  await exchange.reading;
  const batch = execution.batchOf(microbatch);
  await measure(execution, op, input, () => {
    const result = stageOf(execution, stage).forward(batch, input, { keep: !execution.isEvaluated(microbatch) });
    if (result.kind === 'loss') {
      readLosses(exchange, result.losses, (losses) => observer.losses(microbatch, losses));
      return null;
    }
    deliver(execution, exchange, { ...key, stage: stage + 1 }, result.hidden);
    return result.hidden;
  });
};

export const backward = async (execution: Execution, exchange: Exchange, op: Op, key: FrameKey): Promise<void> => {
  const { stage, microbatch } = key;
  const isLast = stage === execution.placements.length - 1;
  const gradient = isLast ? null : await exchange.inputs.take(frameName(key));
  await measure(execution, op, gradient, () => {
    const inputGradient = stageOf(execution, stage).backward(microbatch, gradient);
    if (inputGradient !== null) deliver(execution, exchange, { ...key, stage: stage - 1 }, inputGradient);
    return inputGradient;
  });
};

/** Brings an adapter onto a stage once its job has arrived. */
export const load = async (execution: Execution, op: Op, stage: number, adapter: number): Promise<void> => {
  const arrivalNs = execution.arrivalsNs[adapter] ?? 0;
  while (execution.now() < arrivalNs) {
    await setTimeout(Math.ceil((arrivalNs - execution.now()) / NS_PER_MS), undefined, { ref: false });
    if (execution.halt.skips(op)) return;
  }
  const { setup, initial, steps } = execution.startOf(stage, adapter);
  await measure(execution, op, null, () => {
    stageOf(execution, stage).load(setup, initial, steps);
    return null;
  });
};

type StepOp = Extract<Op, { kind: IterationOpKind }>;

/** Steps, by the norm over all stages where it clips, and hands the adapter's state out where a checkpoint is due; its losses go out before. */
export const step = async (execution: Execution, exchange: Exchange, op: StepOp): Promise<void> => {
  const { stage, adapter } = op;
  const norm = execution.clips(adapter) ? await exchange.norms.take(normOf(op)) : undefined;
  await measure(execution, op, null, () => {
    stageOf(execution, stage).step(adapter, norm);
    return null;
  });
  const iteration = op.iteration + 1;
  if (!execution.isCheckpoint(adapter, iteration)) return;
  await exchange.reading;
  await checkpoint(execution, { stage, adapter, iteration });
};

const checkpoint = async (execution: Execution, { stage, adapter, iteration }: OpenAdapter): Promise<void> => {
  const tensors = await stageOf(execution, stage).state(adapter);
  execution.observer.checkpoint(stage, adapter, { iteration, tensors });
};

/** After a program that was halted: hands out the state of every adapter that it has left, and frees it. */
export const closeAdapters = async (execution: Execution): Promise<void> => {
  for (const open of execution.halt.open()) {
    await checkpoint(execution, open);
    stageOf(execution, open.stage).release(open.adapter);
  }
};

/** Hands the adapter's weights, or its state, to the observer; its span lasts until they are off the device. Losses go out before. */
export const save = async (execution: Execution, exchange: Exchange, op: Extract<Op, { kind: LifecycleOpKind }>): Promise<void> => {
  const { stage, adapter } = op;
  const { observer, now } = execution;
  const iteration = execution.savedAfter(stage, adapter);
  await exchange.reading;
  const startNs = now();
  const held = stageOf(execution, stage);
  const tensors = await (iteration === null ? held.weights(adapter) : held.state(adapter));
  observer.span(op, startNs, now());
  if (iteration === null) observer.saved(stage, adapter, tensors);
  else observer.left(stage, adapter, { iteration, tensors });
};

export const release = (execution: Execution, op: Op, stage: number, adapter: number): Promise<void> =>
  measure(execution, op, null, () => {
    stageOf(execution, stage).release(adapter);
    return null;
  });
