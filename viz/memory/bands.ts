import { bisectRight } from 'd3';
import { MEMORY_CLASSES, MEMORY_CLASS, type MemoryClass } from '../../core/cost-model.ts';
import type { Trace } from '../../core/trace/trace.ts';

/** Bottom to top: what stays for the whole run first, what comes and goes last. */
export const STACK_ORDER: readonly MemoryClass[] = [
  'context',
  'baseWeights',
  'quantization',
  'adapters',
  'gradients',
  'optimizer',
  'activations',
  'transient',
  'communication',
  'allocator',
];

/** Memory of one device as steps: from `timeNs[i]` on, class c of the stack reaches up to `tops[c][i]` bytes. */
export interface MemoryBand {
  readonly device: number;
  readonly timeNs: Float64Array;
  /** One column per entry of STACK_ORDER. */
  readonly tops: readonly Float64Array[];
  readonly peakBytes: number;
}

interface Growing {
  readonly bytes: Float64Array;
  readonly timeNs: number[];
  readonly tops: number[][];
}

/** Writes the device's state at a moment; a later change of the same moment replaces it. */
const record = ({ bytes, timeNs, tops }: Growing, time: number): void => {
  const at = timeNs.at(-1) === time ? timeNs.length - 1 : timeNs.length;
  timeNs[at] = time;
  let top = 0;
  for (const [c, name] of STACK_ORDER.entries()) tops[c]![at] = top += bytes[MEMORY_CLASS[name]]!;
};

/** Stacks every device's memory classes over time. */
export const layoutBands = ({ devices, memory }: Trace): readonly MemoryBand[] => {
  const growing: Growing[] = devices.map(() => ({
    bytes: new Float64Array(MEMORY_CLASSES.length),
    timeNs: [],
    tops: STACK_ORDER.map(() => []),
  }));
  for (let i = 0; i < memory.length; i++) {
    const device = growing[memory.device[i]!]!;
    device.bytes[memory.memoryClass[i]!] = memory.bytes[i]!;
    record(device, memory.timeNs[i]!);
  }
  return growing.map(({ timeNs, tops }, device) => ({
    device,
    timeNs: Float64Array.from(timeNs),
    tops: tops.map((top) => Float64Array.from(top)),
    peakBytes: tops.at(-1)!.reduce((peak, top) => Math.max(peak, top), 0),
  }));
};

/** Bytes of each class (in STACK_ORDER) that a band holds at a moment; zeros before its first one. */
export const memoryAt = ({ timeNs, tops }: MemoryBand, time: number): readonly number[] => {
  const i = bisectRight(timeNs, time) - 1;
  return tops.map((top, c) => (i < 0 ? 0 : top[i]! - (c === 0 ? 0 : tops[c - 1]![i]!)));
};

/** Classes that hold bytes at any time on any device, in STACK_ORDER. */
export const classesInUse = ({ memory }: Trace): readonly MemoryClass[] => {
  const used = new Set<number>();
  for (let i = 0; i < memory.length; i++) if (memory.bytes[i]! > 0) used.add(memory.memoryClass[i]!);
  return STACK_ORDER.filter((name) => used.has(MEMORY_CLASS[name]));
};
