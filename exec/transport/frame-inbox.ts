import { createMailbox } from './mailbox.ts';
import { frameName, normName, type NormFrame, type TensorFrame, type Transport } from './transport.ts';

/** Frames that have arrived at a rank and wait for who asks for them. */
export interface FrameInbox extends Pick<Transport, 'receive' | 'receiveNorm'> {
  readonly put: (frame: TensorFrame | NormFrame) => void;
  /** Rejects every pending and every later call. */
  readonly fail: (error: Error) => void;
}

export const createFrameInbox = (): FrameInbox => {
  const tensors = createMailbox<TensorFrame>();
  const norms = createMailbox<NormFrame>();
  return {
    put: (frame) => (frame.direction === 'norm' ? norms.put(normName(frame), frame) : tensors.put(frameName(frame), frame)),
    receive: (key) => tensors.take(frameName(key)),
    receiveNorm: (key) => norms.take(normName(key)),
    fail: (error) => {
      tensors.fail(error);
      norms.fail(error);
    },
  };
};
