import { bisectRight, max } from 'd3';
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

/** Place of every memory class in the stack, by its column code. */
const LEVEL_OF_CLASS = MEMORY_CLASSES.map((name) => STACK_ORDER.indexOf(name));

const HEIGHT = STACK_ORDER.length;

interface Growing {
  /** Bytes by place in the stack. */
  readonly bytes: Float64Array;
  readonly timeNs: Float64Array;
  readonly tops: readonly Float64Array[];
  length: number;
}

/** Room for as many steps as the device has changes. */
const emptySteps = (changes: number): Growing => ({
  bytes: new Float64Array(HEIGHT),
  timeNs: new Float64Array(changes),
  tops: STACK_ORDER.map(() => new Float64Array(changes)),
  length: 0,
});

/** Writes the device's state at a moment; a later change of the same moment replaces it. */
const record = (steps: Growing, time: number): void => {
  const { bytes, timeNs, tops } = steps;
  if (steps.length === 0 || timeNs[steps.length - 1] !== time) steps.length++;
  const at = steps.length - 1;
  timeNs[at] = time;
  let top = 0;
  for (let c = 0; c < HEIGHT; c++) tops[c]![at] = top += bytes[c]!;
};

const finishBand = ({ timeNs, tops, length }: Growing, device: number): MemoryBand => ({
  device,
  timeNs: timeNs.subarray(0, length),
  tops: tops.map((top) => top.subarray(0, length)),
  peakBytes: max(tops.at(-1)!.subarray(0, length)) ?? 0,
});

/** Stacks every device's memory classes over time. */
export const layoutBands = ({ devices, memory }: Trace): readonly MemoryBand[] => {
  const changes = new Uint32Array(devices.length);
  for (let i = 0; i < memory.length; i++) changes[memory.device[i]!]!++;
  const growing = devices.map((_, device) => emptySteps(changes[device]!));
  for (let i = 0; i < memory.length; i++) {
    const steps = growing[memory.device[i]!]!;
    steps.bytes[LEVEL_OF_CLASS[memory.memoryClass[i]!]!] = memory.bytes[i]!;
    record(steps, memory.timeNs[i]!);
  }
  return growing.map(finishBand);
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
