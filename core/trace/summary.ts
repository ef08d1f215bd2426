import type { MemoryClass } from '../cost-model.ts';
import { STREAM } from '../plan/op.ts';
import { toSeconds } from '../units.ts';
import { bubbleRatio, busyNs, completionNs, makespanNs, tokensPerSecond } from './metrics.ts';
import { peakMemory } from './peak-memory.ts';
import { reservedBytes } from './reserved-memory.ts';
import type { Trace } from './trace.ts';

/** A trace in a few numbers, in seconds and bytes, as the command line prints them. */
export interface TraceSummary {
  readonly schedule: string;
  readonly makespanSeconds: number;
  readonly tokensPerSecond: number;
  readonly bubbleRatio: number;
  /** Ops of the plan that ran; launches on host streams are not counted. */
  readonly opCount: number;
  readonly devices: readonly {
    readonly name: string;
    readonly peakMemoryBytes: number;
    /** What PyTorch's allocator would have reserved for it; null for a measured run, which has an allocator of its own. */
    readonly reservedMemoryBytes: number | null;
    readonly capacityBytes: number;
    readonly busySeconds: number;
  }[];
  /** `completionSeconds` since the start of the run; null for a job of which nothing ran. */
  readonly jobs: readonly { readonly name: string; readonly completionSeconds: number | null }[];
  readonly outOfMemory: { readonly device: string; readonly class: MemoryClass; readonly bytes: number } | null;
}

export const summarize = (trace: Trace): TraceSummary => {
  const { plan, devices, outOfMemory } = trace;
  const peaks = peakMemory(trace);
  const reserved = trace.source === 'simulated' ? reservedBytes(trace) : null;
  const busy = busyNs(trace);
  const completions = completionNs(trace);
  return {
    schedule: plan.schedule,
    makespanSeconds: toSeconds(makespanNs(trace)),
    tokensPerSecond: tokensPerSecond(trace),
    bubbleRatio: bubbleRatio(trace),
    opCount: countPlanOps(trace),
    devices: devices.map(({ name, capacityBytes }, device) => ({
      name,
      peakMemoryBytes: peaks[device]!.bytes,
      reservedMemoryBytes: reserved?.[device] ?? null,
      capacityBytes,
      busySeconds: toSeconds(busy[device]!),
    })),
    jobs: plan.adapters.map((name, adapter) => {
      const endNs = completions[adapter] ?? null;
      return { name, completionSeconds: endNs === null ? null : toSeconds(endNs) };
    }),
    outOfMemory:
      outOfMemory === null
        ? null
        : { device: devices[outOfMemory.device]!.name, class: outOfMemory.memoryClass, bytes: outOfMemory.missingBytes },
  };
};

const countPlanOps = ({ spans }: Trace): number => {
  let count = 0;
  for (let row = 0; row < spans.length; row++) if (spans.stream[row] !== STREAM.host) count++;
  return count;
};
