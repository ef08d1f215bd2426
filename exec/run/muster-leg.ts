import { ExecFailure } from '../exec-error.ts';
import type { FromRank } from '../rank/messages.ts';
import { createQueue } from '../transport/queue.ts';
import type { Crew, Report } from './crew.ts';
import { createLostLines } from './lost-lines.ts';
import { watchSilence, type SilenceWatch } from './silence-watch.ts';

export interface LegOptions {
  readonly size: number;
  /** How long ranks may take to join. */
  readonly joinSeconds: number;
  /** Seconds without a word from a rank after which it counts as hung. */
  readonly patienceSeconds: number;
  /** Where they are expected, for messages. */
  readonly address: string;
}

/** What one leg of a run hears of its ranks. */
export interface MusterLeg extends Pick<Crew, 'next' | 'fail'> {
  /** A rank is there for this leg. */
  readonly enter: (rank: number, hello: FromRank) => void;
  readonly heard: (rank: number) => void;
  readonly report: (report: Report) => void;
  readonly end: () => void;
}

/** A leg that waits for its ranks, and fails with the names of those that have not come in time. */
export const openLeg = ({ size, joinSeconds, patienceSeconds, address }: LegOptions): MusterLeg => {
  const reports = createQueue<Report>();
  const joined = new Set<number>();
  const lostLines = createLostLines(reports.push);
  let watch: SilenceWatch | null = null;
  const late = setTimeout(() => {
    const missing = Array.from({ length: size }, (_, rank) => rank).filter((rank) => !joined.has(rank));
    reports.fail(new ExecFailure({ kind: 'ranksMissing', missing, size, seconds: joinSeconds, address }));
  }, 1000 * joinSeconds);
  const onSilent = (rank: number): void =>
    reports.fail(new ExecFailure({ kind: 'rankFailed', rank, reason: `it has not answered for ${patienceSeconds} s` }));
  return {
    next: reports.next,
    fail: reports.fail,
    enter: (rank, message) => {
      joined.add(rank);
      reports.push({ rank, message });
      if (joined.size < size) return;
      clearTimeout(late);
      watch = watchSilence(size, patienceSeconds, onSilent);
    },
    heard: (rank) => watch?.heard(rank),
    report: (report) => {
      if (!lostLines.hold(report)) reports.push(report);
    },
    end: () => {
      clearTimeout(late);
      watch?.stop();
      lostLines.stop();
    },
  };
};
