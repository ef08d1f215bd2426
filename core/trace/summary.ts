import type { MemoryClass } from '../cost-model.ts';
import { STREAM } from '../plan/op.ts';
import { toSeconds } from '../units.ts';
import { bubbleRatio, busyNs, completionNs, makespanNs, tokensPerSecond } from './metrics.ts';
import { peakMemory } from './peak-memory.ts';
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
    /** What PyTorch's allocator would have reserved for it (`core/plan/reserved-memory.ts`); null where nobody asked. */
    readonly reservedMemoryBytes: number | null;
    readonly capacityBytes: number;
    readonly busySeconds: number;
  }[];
  /** `completionSeconds` since the start of the run; null for a job of which nothing ran. */
  readonly jobs: readonly { readonly name: string; readonly completionSeconds: number | null }[];
  readonly outOfMemory: { readonly device: string; readonly class: MemoryClass; readonly bytes: number } | null;
}

/** `reserved`: bytes by device, where they are known. */
export const summarize = (trace: Trace, reserved: readonly number[] = []): TraceSummary => {
  const { plan, devices, outOfMemory } = trace;
  const peaks = peakMemory(trace);
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
      // Transfers in flight are in the peak only.
      reservedMemoryBytes: reserved[device] === undefined ? null : Math.max(reserved[device], peaks[device]!.bytes),
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
