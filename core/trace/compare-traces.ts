import { MEMORY_CLASS } from '../cost-model.ts';
import { KIND, kindName, STREAM, type OpKind } from '../plan/op.ts';
import { makespanNs } from './metrics.ts';
import { peakMemory } from './peak-memory.ts';
import type { Trace } from './trace.ts';

/** Times of one kind of op on one stage, in two runs of a plan. */
export interface OpComparison {
  readonly kind: OpKind;
  readonly stage: number;
  readonly predicted: OpTimes;
  readonly measured: OpTimes;
}

export interface OpTimes {
  readonly count: number;
  readonly medianNs: number;
  readonly totalNs: number;
}

/** How far a simulated run is from the measured run of the same plan; errors are predicted ÷ measured − 1. */
export interface TraceComparison {
  readonly ops: readonly OpComparison[];
  readonly makespanError: number;
  readonly devices: readonly {
    readonly name: string;
    /** Of what is held between ops: what lives only inside an op cannot be measured. */
    readonly predictedPeakBytes: number;
    readonly measuredPeakBytes: number;
    readonly memoryError: number;
  }[];
}

const COMPARED = [KIND.forward, KIND.backward, KIND.step] as const;

export const compareTraces = (predicted: Trace, measured: Trace): TraceComparison => {
  const peaks = [heldBytesPeak(predicted), heldBytesPeak(measured)] as const;
  const times = [computeTimes(predicted), computeTimes(measured)] as const;
  return {
    ops: COMPARED.flatMap((kind) =>
      measured.plan.stages.map((_, stage) => ({
        kind: kindName(kind),
        stage,
        predicted: summarizeTimes(times[0].get(keyOf(kind, stage))),
        measured: summarizeTimes(times[1].get(keyOf(kind, stage))),
      })),
    ).filter(({ predicted: { count }, measured: { count: other } }) => count + other > 0),
    makespanError: errorOf(makespanNs(predicted), makespanNs(measured)),
    devices: measured.devices.map(({ name }, device) => ({
      name,
      predictedPeakBytes: peaks[0][device]!,
      measuredPeakBytes: peaks[1][device]!,
      memoryError: errorOf(peaks[0][device]!, peaks[1][device]!),
    })),
  };
};

/** Predicted ÷ measured − 1; 0 where nothing was measured. */
const errorOf = (predicted: number, measured: number): number => (measured === 0 ? 0 : predicted / measured - 1);

/** Peak of every device in bytes, temporaries of running ops left out. */
export const heldBytesPeak = (trace: Trace): number[] => {
  const { memory } = trace;
  const kept = Array.from({ length: memory.length }, (_, row) => row).filter(
    (row) => memory.memoryClass[row] !== MEMORY_CLASS.transient,
  );
  const held = {
    length: kept.length,
    device: Uint16Array.from(kept, (row) => memory.device[row]!),
    memoryClass: Uint8Array.from(kept, (row) => memory.memoryClass[row]!),
    timeNs: Float64Array.from(kept, (row) => memory.timeNs[row]!),
    bytes: Float64Array.from(kept, (row) => memory.bytes[row]!),
  };
  return peakMemory({ ...trace, memory: held }).map(({ bytes }) => bytes);
};

const keyOf = (kind: number, stage: number): string => `${kind},${stage}`;

/** Durations of compute ops by kind and stage, in nanoseconds. */
const computeTimes = ({ spans }: Trace): Map<string, number[]> => {
  const times = new Map<string, number[]>();
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] !== STREAM.compute) continue;
    const key = keyOf(spans.kind[row]!, spans.stage[row]!);
    const durationNs = spans.endNs[row]! - spans.startNs[row]!;
    const known = times.get(key);
    if (known === undefined) times.set(key, [durationNs]);
    else known.push(durationNs);
  }
  return times;
};

const summarizeTimes = (times: readonly number[] = []): OpTimes => ({
  count: times.length,
  medianNs: [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0,
  totalNs: times.reduce((sum, ns) => sum + ns, 0),
});
