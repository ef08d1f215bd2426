import { createQueue } from '../transport/queue.ts';
import { estimateOffset, localNs, type ClockSample } from './clock.ts';

const SAMPLES = 16;

/** A rank's questions to the coordinator's clock. */
export interface ClockSync {
  /** What to add to this process's clock to get the coordinator's. */
  readonly measureOffset: () => Promise<number>;
  /** Takes the coordinator's answer to the question asked last. */
  readonly answer: (theirsNs: number) => void;
  readonly cancel: () => void;
}

/** `ask` sends a question; the caller brings its answer to `answer`. */
export const createClockSync = (ask: () => void): ClockSync => {
  const answers = createQueue<number>();
  const sample = async (): Promise<ClockSample> => {
    const askedNs = localNs();
    ask();
    const theirsNs = await answers.next();
    return { askedNs, theirsNs, answeredNs: localNs() };
  };
  return {
    measureOffset: async () => {
      const samples: ClockSample[] = [];
      while (samples.length < SAMPLES) samples.push(await sample());
      return estimateOffset(samples);
    },
    answer: answers.push,
    cancel: () => answers.fail(new Error('stopped')),
  };
};
