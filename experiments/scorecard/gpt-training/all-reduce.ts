import { parse } from 'csv-parse/sync';
import { readShipped } from '../shipped-file.ts';

interface MeasuredAllReduce {
  readonly bytes: number;
  readonly timeNs: number;
}

/** Measured times by number of devices, sorted by size. */
export type AllReduceTable = ReadonlyMap<number, readonly MeasuredAllReduce[]>;

export const readAllReduces = (): AllReduceTable => {
  const rows = parse(readShipped('gpt-training/all-reduce.csv'), { columns: true, comment: '#' }) as unknown as readonly Readonly<Record<'gpus' | 'bytes' | 'timeUs', string>>[];
  const table = new Map<number, MeasuredAllReduce[]>();
  for (const { gpus, bytes, timeUs } of rows) {
    const devices = Number(gpus);
    table.set(devices, [...(table.get(devices) ?? []), { bytes: Number(bytes), timeNs: Number(timeUs) * 1e3 }]);
  }
  for (const sizes of table.values()) sizes.sort((a, b) => a.bytes - b.bytes);
  return table;
};

/** Straight lines between measured sizes; the smallest size's time below them, the largest one's rate above. */
export const allReduceNs = (table: AllReduceTable, devices: number, bytes: number): number => {
  if (devices === 1 || bytes === 0) return 0;
  const sizes = table.get(devices);
  if (sizes === undefined) throw new RangeError(`no all-reduce among ${devices} devices was measured`);
  const above = sizes.findIndex((size) => size.bytes >= bytes);
  if (above === 0) return sizes[0]!.timeNs;
  if (above < 0) {
    const last = sizes[sizes.length - 1]!;
    return (last.timeNs * bytes) / last.bytes;
  }
  const [low, high] = [sizes[above - 1]!, sizes[above]!];
  return low.timeNs + ((bytes - low.bytes) / (high.bytes - low.bytes)) * (high.timeNs - low.timeNs);
};
