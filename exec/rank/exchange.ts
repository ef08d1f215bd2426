import type { Tensor2D } from '@tensorflow/tfjs-core';
import { createMailbox, type Mailbox } from '../transport/mailbox.ts';
import { frameName, type FrameKey } from '../transport/transport.ts';
import type { Execution } from './execution.ts';

/** What passes between the streams of one device. Tensors go by frame name, the rest by the op's token. */
export interface Exchange {
  /** Received, or made on this device, for a compute op to take in. */
  readonly inputs: Mailbox<Tensor2D>;
  /** Made by a compute op, for the send stream. */
  readonly outputs: Mailbox<Tensor2D>;
  /** Collectives that the compute stream has come to: everything before them is computed. */
  readonly reached: Mailbox<true>;
  /** Norms of gradients over all stages, for the steps that clip by them. */
  readonly norms: Mailbox<number>;
  /** Losses on their way off the device. */
  reading: Promise<void>;
}

export const createExchange = (): Exchange => ({
  inputs: createMailbox(),
  outputs: createMailbox(),
  reached: createMailbox(),
  norms: createMailbox(),
  reading: Promise.resolve(),
});

/** Rejects everything that waits, so that all streams end when one has failed. */
export const abandon = ({ inputs, outputs, reached, norms }: Exchange, error: Error): void => {
  reached.fail(error);
  norms.fail(error);
  for (const mailbox of [inputs, outputs]) {
    mailbox.fail(error);
    for (const tensor of mailbox.drain()) tensor.dispose();
  }
};

/** Hands a compute op's result to the stage that takes it in: directly, or to the send stream. */
export const deliver = (execution: Execution, exchange: Exchange, key: FrameKey, tensor: Tensor2D): void => {
  const isLocal = execution.placements[key.stage]!.device === execution.device;
  (isLocal ? exchange.inputs : exchange.outputs).put(frameName(key), tensor);
};

export const tensorBytes = (tensor: Tensor2D | null): number => (tensor === null ? 0 : tensor.size * 4);
