import type { FromRank } from '../rank/messages.ts';
import type { Report } from './crew.ts';

/** Longer than the system takes to report the end of a process. */
const GRACE_MS = 1000;

/**
 * Reports of lost connections come from both ends, and whenever a rank dies: the rank that died is the better word for it,
 * and of two ends the one that knows its peer.
 */
export interface LostLines {
  /** Holds a report of a lost connection back; false for any other. */
  readonly hold: (report: Report) => boolean;
  readonly stop: () => void;
}

const lostPeer = (message: FromRank): number | null | undefined =>
  message.kind === 'failed' && message.error.kind === 'connectionLost' ? message.error.peer : undefined;

/** `pass` gets the best of the reports a second after the first of them. */
export const createLostLines = (pass: (report: Report) => void): LostLines => {
  let best: Report | null = null;
  let timer: NodeJS.Timeout | null = null;
  return {
    hold: (report) => {
      const peer = lostPeer(report.message);
      if (peer === undefined) return false;
      if (best === null || peer !== null) best = report;
      timer ??= setTimeout(() => pass(best!), GRACE_MS);
      return true;
    },
    stop: () => {
      if (timer !== null) clearTimeout(timer);
    },
  };
};
