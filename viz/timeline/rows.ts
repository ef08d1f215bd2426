import { STREAM, STREAMS } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';

/** One stream of one device; `y` is the top edge in pixels below the first row's. */
export interface Row {
  readonly device: number;
  readonly stream: number;
  readonly y: number;
  readonly height: number;
}

export interface RowLayout {
  readonly rows: readonly Row[];
  readonly height: number;
}

const COMPUTE_HEIGHT = 22;
const STREAM_HEIGHT = 9;
const STREAM_GAP = 2;
const DEVICE_GAP = 9;

const streamsInUse = ({ devices, spans }: Trace): Uint8Array => {
  const used = new Uint8Array(devices.length * STREAMS.length);
  for (let i = 0; i < spans.length; i++) used[spans.device[i]! * STREAMS.length + spans.stream[i]!] = 1;
  return used;
};

/** A row for every device and stream with spans; the compute row is always there, so that an idle device shows. */
export const layoutRows = (trace: Trace): RowLayout => {
  const used = streamsInUse(trace);
  const rows: Row[] = [];
  let y = 0;
  for (let device = 0; device < trace.devices.length; device++) {
    if (device > 0) y += DEVICE_GAP;
    for (let stream = 0; stream < STREAMS.length; stream++) {
      if (stream !== STREAM.compute && used[device * STREAMS.length + stream] === 0) continue;
      if (stream !== STREAM.compute) y += STREAM_GAP;
      const height = stream === STREAM.compute ? COMPUTE_HEIGHT : STREAM_HEIGHT;
      rows.push({ device, stream, y, height });
      y += height;
    }
  }
  return { rows, height: y };
};

/** The rows in order, equally high and close to each other, together not higher than `height` pixels where possible. */
export const shrinkRows = (rows: readonly Row[], height: number): RowLayout => {
  const pitch = Math.max(1, Math.min(height / Math.max(1, rows.length), COMPUTE_HEIGHT / 2));
  const gap = pitch > 4 ? 1 : 0;
  const shrunk = rows.map((row, r): Row => ({ ...row, y: r * pitch, height: pitch - gap }));
  return { rows: shrunk, height: rows.length * pitch };
};
