import { createFrameInbox } from './frame-inbox.ts';
import type { Transport } from './transport.ts';

/** One transport per rank of a run inside this process; frames are handed over by reference. */
export const createMemoryTransports = (rankCount: number): readonly Transport[] => {
  const inboxes = Array.from({ length: rankCount }, createFrameInbox);
  return inboxes.map(({ receive, receiveNorm, fail }) => ({
    send: (to, frame) => {
      inboxes[to]!.put(frame);
      return Promise.resolve();
    },
    receive,
    receiveNorm,
    close: () => fail(new Error('the transport was closed')),
  }));
};
