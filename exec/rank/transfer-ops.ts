import { tensor2d, type Tensor2D } from '@tensorflow/tfjs-core';
import { assertNever } from '../../core/never.ts';
import type { MicrobatchOpKind, Op, TransferOpKind } from '../../core/plan/op.ts';
import { frameName, type FrameKey, type TensorFrame } from '../transport/transport.ts';
import { tensorBytes, type Exchange } from './exchange.ts';
import type { Execution } from './execution.ts';

type TransferOp = Extract<Op, { kind: MicrobatchOpKind }>;

/** Name of the frame a transfer op moves: it carries the stage that takes it in. */
export const frameOf = (kind: TransferOpKind, stage: number, microbatch: number): FrameKey => {
  switch (kind) {
    case 'sendForward':
      return { direction: 'forward', stage: stage + 1, microbatch };
    case 'receiveForward':
      return { direction: 'forward', stage, microbatch };
    case 'sendBackward':
      return { direction: 'backward', stage: stage - 1, microbatch };
    case 'receiveBackward':
      return { direction: 'backward', stage, microbatch };
    default:
      return assertNever(kind);
  }
};

/** Sends what the compute stream made, as soon as it is there; the span starts when it is. */
export const send = async (execution: Execution, exchange: Exchange, op: TransferOp, key: FrameKey): Promise<void> => {
  const { observer, now } = execution;
  const tensor = await exchange.outputs.take(frameName(key));
  const startNs = now();
  const values = await execution.read(tensor);
  const frame: TensorFrame = { ...key, shape: tensor.shape, values, sentNs: startNs };
  tensor.dispose();
  observer.transferred(now(), -tensorBytes(tensor));
  await execution.transport.send(execution.placements[key.stage]!.device, frame);
  observer.span(op, startNs, now());
};

const asTensor = (frame: TensorFrame): Tensor2D => {
  const { shape, values } = frame;
  const [rows, columns] = shape;
  if (rows === undefined || columns === undefined || shape.length !== 2) {
    throw new Error(`${frameName(frame)} has shape [${shape.join(', ')}] instead of [tokens, hidden]`);
  }
  return tensor2d(values, [rows, columns]);
};

/**
 * Takes a frame in. Its span starts when the peer sent it, or when this op's turn came if that was later: before, the
 * stream only waits, which is idle time.
 */
export const receive = async (execution: Execution, exchange: Exchange, op: TransferOp, key: FrameKey): Promise<void> => {
  const { observer, now } = execution;
  const reachedNs = now();
  const frame = await execution.transport.receive(key);
  const tensor = asTensor(frame);
  const endNs = now();
  observer.transferred(endNs, tensorBytes(tensor));
  observer.span(op, Math.min(endNs, Math.max(reachedNs, frame.sentNs)), endNs);
  exchange.inputs.put(frameName(key), tensor);
};
