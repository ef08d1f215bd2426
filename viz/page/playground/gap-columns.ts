import { IDLE_CAUSES, noTimes } from '../../../core/explain/cause.ts';
import type { Gap } from '../../../core/explain/idle.ts';

/** Gaps as columns: a worker hands over a hundred thousand of them as quickly as one. */
export interface GapColumns {
  readonly device: Uint16Array;
  readonly startNs: Float64Array;
  readonly endNs: Float64Array;
  readonly row: Int32Array;
  /** By gap · number of causes + cause. */
  readonly causeNs: Float64Array;
}

export const packGaps = (gaps: readonly Gap[]): GapColumns => ({
  device: Uint16Array.from(gaps, ({ device }) => device),
  startNs: Float64Array.from(gaps, ({ startNs }) => startNs),
  endNs: Float64Array.from(gaps, ({ endNs }) => endNs),
  row: Int32Array.from(gaps, ({ row }) => row),
  causeNs: Float64Array.from(gaps.flatMap(({ byCause }) => IDLE_CAUSES.map((cause) => byCause[cause]))),
});

export const unpackGaps = ({ device, startNs, endNs, row, causeNs }: GapColumns): Gap[] =>
  Array.from(device, (number, gap) => {
    const byCause = noTimes();
    for (const [c, cause] of IDLE_CAUSES.entries()) byCause[cause] = causeNs[gap * IDLE_CAUSES.length + c]!;
    return { device: number, startNs: startNs[gap]!, endNs: endNs[gap]!, row: row[gap]!, byCause };
  });
