import { STREAM } from '../../core/plan/op.ts';
import { computeWindow, bubbleRatio } from '../../core/trace/metrics.ts';
import { formatTable } from '../../core/text-table.ts';
import type { SpanTable, Trace } from '../../core/trace/trace.ts';
import { formatDuration } from '../../core/units.ts';
import { median } from '../../sim/measured-ops.ts';
import { measuredTransfers } from '../../sim/measured-transfers.ts';
import type { MeasuredRun } from '../../sim/measured-ops.ts';
import type { Cable } from '../two-machines/two-machines.ts';
import { runOnTwoMachines } from './two-machine-run.ts';

/**
 * How much of the transfers between two ranks is exposed: time in which a rank receives or sends and computes nothing,
 * against the time that the transfers take by themselves.
 */

const GIGABIT: Cable = { bitsPerSecond: 1e9, latencySeconds: 0.002 };

const CASES: readonly { readonly name: string; readonly cable: Cable | null; readonly batchSize: number }[] = [
  { name: '1 Gbit/s, 2 ms, batch of 16', cable: GIGABIT, batchSize: 16 },
  { name: 'full speed, batch of 16', cable: null, batchSize: 16 },
];

type Stretch = readonly [startNs: number, endNs: number];

const stretchesOf = (spans: SpanTable, device: number, accepts: (stream: number) => boolean): Stretch[] =>
  Array.from({ length: spans.length }, (_, row) => row)
    .filter((row) => spans.device[row] === device && accepts(spans.stream[row]!))
    .map((row): Stretch => [spans.startNs[row]!, spans.endNs[row]!])
    .sort(([a], [b]) => a - b);

/** Time covered by `wanted` and not by `covers`. */
export const uncoveredNs = (wanted: readonly Stretch[], covers: readonly Stretch[]): number => {
  const marks = [
    ...wanted.flatMap(([start, end]) => [{ at: start, wanted: 1, cover: 0 }, { at: end, wanted: -1, cover: 0 }]),
    ...covers.flatMap(([start, end]) => [{ at: start, wanted: 0, cover: 1 }, { at: end, wanted: 0, cover: -1 }]),
  ].sort((a, b) => a.at - b.at);
  let [open, covered, total] = [0, 0, 0];
  for (const [index, mark] of marks.entries()) {
    if (index > 0 && open > 0 && covered === 0) total += mark.at - marks[index - 1]!.at;
    open += mark.wanted;
    covered += mark.cover;
  }
  return total;
};

/** Inside the steady part: the middle 80 % of the time in which anything is computed. */
const steady = (trace: Trace): Trace => {
  const { startNs, endNs } = computeWindow(trace)!;
  const [from, to] = [startNs + 0.1 * (endNs - startNs), endNs - 0.1 * (endNs - startNs)];
  const rows = Array.from({ length: trace.spans.length }, (_, row) => row).filter((row) => trace.spans.startNs[row]! >= from && trace.spans.endNs[row]! <= to);
  const pick = <T extends { readonly [index: number]: number }>(column: T, make: (values: number[]) => T): T => make(rows.map((row) => column[row]!));
  const { spans } = trace;
  return {
    ...trace,
    spans: {
      length: rows.length,
      device: pick(spans.device, (values) => Uint16Array.from(values)),
      stream: pick(spans.stream, (values) => Uint8Array.from(values)),
      kind: pick(spans.kind, (values) => Uint8Array.from(values)),
      stage: pick(spans.stage, (values) => Uint16Array.from(values)),
      operand: pick(spans.operand, (values) => Uint32Array.from(values)),
      iteration: pick(spans.iteration, (values) => Uint32Array.from(values)),
      startNs: pick(spans.startNs, (values) => Float64Array.from(values)),
      endNs: pick(spans.endNs, (values) => Float64Array.from(values)),
    },
  };
};

interface Exposure {
  readonly exposedNs: number;
  readonly transferNs: number;
  readonly undisturbedNs: number;
  readonly bubbles: number;
}

const exposureOf = (run: MeasuredRun): Exposure => {
  const trace = steady(run.trace);
  const exposed = trace.devices.map((_, device) =>
    uncoveredNs(
      stretchesOf(trace.spans, device, (stream) => stream === STREAM.receive || stream === STREAM.send),
      stretchesOf(trace.spans, device, (stream) => stream === STREAM.compute),
    ),
  );
  const undisturbedNs = median(measuredTransfers(run).map(({ ns }) => ns));
  const receives = trace.spans.stream.filter((stream) => stream === STREAM.receive).length;
  return { exposedNs: exposed.reduce((sum, ns) => sum + ns, 0), transferNs: receives * undisturbedNs, undisturbedNs, bubbles: bubbleRatio(trace) };
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

export const benchOverlap = async (): Promise<void> => {
  const rows: string[][] = [];
  for (const { name, cable, batchSize } of CASES) {
    const { runs } = await runOnTwoMachines({ cable, batchSize, iterations: 16, rounds: 3 });
    const exposures = runs.map(exposureOf);
    const shares = exposures.map(({ exposedNs, transferNs }) => exposedNs / transferNs);
    rows.push([
      name,
      formatDuration(median(exposures.map(({ undisturbedNs }) => undisturbedNs))),
      formatDuration(median(exposures.map(({ transferNs }) => transferNs))),
      formatDuration(median(exposures.map(({ exposedNs }) => exposedNs))),
      percent(median(shares)),
      percent(median(exposures.map(({ bubbles }) => bubbles))),
    ]);
  }
  console.log(formatTable([['two ranks, two equal stages', 'a transfer alone', 'all transfers', 'exposed', 'share', 'all idle time'], ...rows]));
  console.log('Exposed: a rank receives or sends and computes nothing, in the middle 80 % of the run; medians of 3 runs. Target: 10 % of the time that all transfers take.');
};
