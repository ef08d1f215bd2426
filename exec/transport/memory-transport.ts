import { createMailbox } from './mailbox.ts';
import { frameName, type TensorFrame, type Transport } from './transport.ts';

/** One transport per rank of a run inside this process; frames are handed over by reference. */
export const createMemoryTransports = (rankCount: number): readonly Transport[] => {
  const inboxes = Array.from({ length: rankCount }, () => createMailbox<TensorFrame>());
  return inboxes.map((inbox) => ({
    send: (to, frame) => {
      inboxes[to]!.put(frameName(frame), frame);
      return Promise.resolve();
    },
    receive: (key) => inbox.take(frameName(key)),
    close: () => inbox.fail(new Error('the transport was closed')),
  }));
};
