import { KIND, OP_KINDS, STREAM, STREAM_OF_KIND, STREAMS, SUBJECT_OF_KIND } from '../plan/op.ts';
import type { PlanTables } from '../plan/plan.ts';
import type { Trace } from '../trace/trace.ts';

/** Finds spans by what they do; −1 where there is none. Launches on host streams are not in it. */
export interface SpanIndex {
  /** Row of a microbatch's op. */
  readonly rowOf: (kind: number, stage: number, microbatch: number) => number;
  /** Row of the span before on the same stream of the same device. */
  readonly previous: Int32Array;
  /** Rows of each device's compute stream, in order of start. */
  readonly computeRows: readonly (readonly number[])[];
  readonly collectiveRows: readonly (readonly number[])[];
}

const NONE = -1;

export const carriesMicrobatch = (kind: number): boolean => SUBJECT_OF_KIND[kind] === 'microbatch';

/** Whether ops of a kind move data between devices: transfers and collectives. */
export const isCommunication = (kind: number): boolean => STREAM_OF_KIND[kind] !== STREAM.compute;

export const indexSpans = ({ plan, spans, devices }: Trace): SpanIndex => {
  const width = plan.stages.length * plan.microbatches.length;
  const columns = OP_KINDS.map((kind) => (carriesMicrobatch(KIND[kind]) ? new Int32Array(width).fill(NONE) : new Int32Array(0)));
  const previous = new Int32Array(spans.length).fill(NONE);
  const latest = new Int32Array(devices.length * STREAMS.length).fill(NONE);
  const [computeRows, collectiveRows] = [devices.map((): number[] => []), devices.map((): number[] => [])];
  for (let row = 0; row < spans.length; row++) {
    const stream = spans.stream[row]!;
    const id = spans.device[row]! * STREAMS.length + stream;
    previous[row] = latest[id]!;
    latest[id] = row;
    if (stream === STREAM.host) continue;
    if (stream === STREAM.compute) computeRows[spans.device[row]!]!.push(row);
    if (stream === STREAM.collective) collectiveRows[spans.device[row]!]!.push(row);
    const kind = spans.kind[row]!;
    if (carriesMicrobatch(kind)) columns[kind]![spans.stage[row]! * plan.microbatches.length + spans.operand[row]!] = row;
  }
  return {
    rowOf: (kind, stage, microbatch) =>
      stage >= 0 && stage < plan.stages.length ? columns[kind]![stage * plan.microbatches.length + microbatch]! : NONE,
    previous,
    computeRows,
    collectiveRows,
  };
};

export const tokensOfMicrobatch = ({ shapes, microbatches }: PlanTables, microbatch: number): number =>
  shapes[microbatches.shape[microbatch]!]!.parts.reduce((sum, { tokens }) => sum + tokens, 0);

/** Tokens of the microbatch a span works for; 0 where it works for none. */
export const tokensOf = ({ plan, spans }: Trace, row: number): number =>
  carriesMicrobatch(spans.kind[row]!) ? tokensOfMicrobatch(plan, spans.operand[row]!) : 0;

/** Position of the last of some rows, in order of start, that starts before a time; −1 for none. */
export const lastBefore = (rows: readonly number[], startNs: Float64Array, timeNs: number): number => {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (startNs[rows[middle]!]! < timeNs) low = middle + 1;
    else high = middle;
  }
  return low - 1;
};
