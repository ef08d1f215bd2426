import { OP_KINDS, STREAM, type OpKind } from '../../core/plan/op.ts';
import type { TimeWindow } from '../../core/trace/metrics.ts';
import { visibleRange, type TimelineMarks } from './marks.ts';

/** What the ops of a kind take inside a window of time. */
export interface KindStatistics {
  readonly kind: OpKind;
  /** Ops that are in the window, at least in part. */
  readonly count: number;
  /** Of what lies inside the window, over all devices. */
  readonly totalNs: number;
  readonly shortestNs: number;
  readonly longestNs: number;
}

interface Growing {
  count: number;
  totalNs: number;
  shortestNs: number;
  longestNs: number;
}

const empty = (): Growing => ({ count: 0, totalNs: 0, shortestNs: Infinity, longestNs: 0 });

/** The kinds of op that some marks have in a window, in the order of the kinds; launches on the host are not counted. */
export const statisticsOf = ({ rows, trace }: TimelineMarks, { startNs, endNs }: TimeWindow): readonly KindStatistics[] => {
  const { spans } = trace;
  const kinds = OP_KINDS.map(empty);
  for (const rowMarks of rows) {
    if (rowMarks.row.stream === STREAM.host) continue;
    const [from, to] = visibleRange(rowMarks, trace, startNs, endNs);
    for (let position = from; position < to; position++) {
      const span = rowMarks.index[position]!;
      if (spans.endNs[span]! < startNs) continue;
      const known = kinds[spans.kind[span]!]!;
      const durationNs = spans.endNs[span]! - spans.startNs[span]!;
      known.count++;
      known.totalNs += Math.min(endNs, spans.endNs[span]!) - Math.max(startNs, spans.startNs[span]!);
      known.shortestNs = Math.min(known.shortestNs, durationNs);
      known.longestNs = Math.max(known.longestNs, durationNs);
    }
  }
  return kinds.flatMap((known, code) => (known.count === 0 ? [] : [{ kind: OP_KINDS[code]!, ...known }]));
};
