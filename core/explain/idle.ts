/**
 * Splits each device's idle time by cause.
 *
 * A device waits for a chain of ops and transfers (chain.ts). Going back along it from the end of the wait, everything
 * that made it longer than pure pipeline latency (delays.ts) is charged to the wait, until the wait is used up or the
 * chain comes to the optimizer step that let it begin or to the start of the run. No delay is charged twice to one
 * device. What is left is latency that no other work covered, and why there was none decides: nothing more enters the
 * pipeline (drain), memory was full, the chain goes back to a step, or it goes back to the start of the run (fill).
 * Once nothing more enters, no other work could have come, and only delays since the device's own part in the chain count.
 */
import { KIND, STREAM, SUBJECT_OF_KIND } from '../plan/op.ts';
import { neighboursOf } from '../plan/pipelines.ts';
import type { PlanTables } from '../plan/plan.ts';
import { adaptersOfSpan, computeWindow, type TimeWindow } from '../trace/metrics.ts';
import type { SpanTable, Trace } from '../trace/trace.ts';
import { addTimes, noTimes, totalOfTimes, type CauseTimes, type IdleCause } from './cause.ts';
import { findChains, type Chains } from './chain.ts';
import { DELAY_PARTS, delaysFor, unexplainedCause, waitsForArrival, type Delays } from './delays.ts';
import { findMemoryHolds, type MemoryHold } from './memory-hold.ts';
import { isCommunication } from './span-index.ts';

/** One stretch of idle time of a compute stream: [startNs, endNs), and the op that ends it; −1: none follows. */
export interface Gap {
  readonly device: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly row: number;
  readonly byCause: CauseTimes;
}

export interface DeviceIdle {
  readonly name: string;
  readonly idleNs: number;
  readonly byCause: CauseTimes;
}

/** Idle time between the first and the last compute span; every sum over causes is the idle time to the nanosecond. */
export interface IdleSplit {
  readonly windowNs: number;
  readonly devices: readonly DeviceIdle[];
  readonly total: { readonly idleNs: number; readonly byCause: CauseTimes };
  readonly gaps: readonly Gap[];
}

export const splitIdle = (trace: Trace): IdleSplit => {
  const window = computeWindow(trace) ?? { startNs: 0, endNs: 0 };
  const chains = findChains(trace);
  const view: View = {
    trace,
    chains,
    window,
    steps: lastSteps(trace, chains),
    opening: findOpenings(trace, chains),
    lastEntryNs: lastEntry(trace),
    memory: findMemoryHolds(trace, chains),
  };
  const gaps = trace.devices.map((_, device) => splitDevice(view, device));
  const devices = trace.devices.map(({ name }, device): DeviceIdle => {
    const byCause = addTimes(gaps[device]!.map((gap) => gap.byCause));
    return { name, idleNs: totalOfTimes(byCause), byCause };
  });
  const byCause = addTimes(devices.map((device) => device.byCause));
  return {
    windowNs: window.endNs - window.startNs,
    devices,
    total: { idleNs: totalOfTimes(byCause), byCause },
    gaps: gaps.flat(),
  };
};

interface View {
  readonly trace: Trace;
  readonly chains: Chains;
  readonly window: TimeWindow;
  /** By row: the nearest step on its chain, itself included; −1 for none. */
  readonly steps: Int32Array;
  /** By row: 1 where a microbatch enters the pipeline because of a step of its own adapter. */
  readonly opening: Uint8Array;
  /** Start of the last op that lets something into the pipeline. */
  readonly lastEntryNs: number;
  readonly memory: MemoryHold;
}

const lastSteps = (trace: Trace, chains: Chains): Int32Array => {
  const { spans } = trace;
  const steps = new Int32Array(spans.length).fill(-1);
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] === STREAM.host) continue;
    const before = chains.before[row]!;
    if (spans.kind[row] === KIND.step) steps[row] = row;
    else if (before >= 0 && !waitsForArrival(trace, chains, row)) steps[row] = steps[before]!;
  }
  return steps;
};

/**
 * Rounds that a step let in. It did not if the first device had enough to do all the while: then the round would have
 * come no earlier without it.
 */
const findOpenings = (trace: Trace, { before }: Chains): Uint8Array => {
  const { spans, plan } = trace;
  const isFirst = firstStages(plan);
  return Uint8Array.from({ length: spans.length }, (_, row) => {
    let held = before[row]!;
    if (!isEntry(spans, row, isFirst) || held < 0 || spans.kind[held] !== KIND.step) return 0;
    if (!adaptersOfSpan(plan, spans, row).includes(spans.operand[held]!)) return 0;
    while (held >= 0 && SUBJECT_OF_KIND[spans.kind[held]!] === 'iteration') held = before[held]!;
    const cause = held < 0 ? -1 : before[held]!;
    return cause >= 0 && isCommunication(spans.kind[cause]!) ? 1 : 0;
  });
};

const firstStages = ({ stages }: PlanTables): readonly boolean[] => [...neighboursOf(stages).previous].map((stage) => stage < 0);

/** Whether a span lets a microbatch into a pipeline. */
const isEntry = ({ stream, kind, stage }: SpanTable, row: number, isFirst: readonly boolean[]): boolean =>
  stream[row] === STREAM.compute && kind[row] === KIND.forward && isFirst[stage[row]!]!;

const lastEntry = ({ spans, plan }: Trace): number => {
  const isFirst = firstStages(plan);
  let latestNs = -Infinity;
  for (let row = 0; row < spans.length; row++) {
    if (isEntry(spans, row, isFirst)) latestNs = Math.max(latestNs, spans.startNs[row]!);
  }
  return latestNs;
};

/** What one device has been charged so far. */
interface Account {
  readonly device: number;
  readonly delays: Delays;
  /** By row: nanoseconds of its delays that are charged. */
  readonly spentNs: Float64Array;
  /** By row: itself, or a row further back on its chain that stands for it because nothing is left in between. */
  readonly standIn: Int32Array;
}

const splitDevice = (view: View, device: number): Gap[] => {
  const { trace, chains, window } = view;
  const { spans } = trace;
  const rows = chains.index.computeRows[device]!;
  if (rows.length === 0) {
    const [startNs, endNs] = [window.startNs, window.endNs];
    return [{ device, startNs, endNs, row: -1, byCause: { ...noTimes(), noWork: endNs - startNs } }];
  }
  const account: Account = {
    device,
    delays: delaysFor(trace, chains, device),
    spentNs: new Float64Array(spans.length),
    standIn: Int32Array.from({ length: spans.length }, (_, row) => row),
  };
  const gaps: Gap[] = [];
  const wait = (startNs: number, endNs: number, row: number): void => {
    if (endNs > startNs) gaps.push(splitGap(view, account, { device, startNs, endNs, row }));
  };
  let freeNs = window.startNs;
  for (const row of rows) {
    wait(freeNs, spans.startNs[row]!, row);
    freeNs = Math.max(freeNs, spans.endNs[row]!);
  }
  wait(freeNs, window.endNs, -1);
  return gaps;
};

type Wait = Omit<Gap, 'byCause'>;

const splitGap = (view: View, account: Account, wait: Wait): Gap => {
  const times = noTimes();
  const last = wait.row < 0 ? lastToEnd(view) : view.chains.before[wait.row]!;
  const leftNs = chargeChain(view, account, wait, last, times);
  if (leftNs > 0) times[latencyCause(view, wait, last)] += leftNs;
  return { ...wait, byCause: times };
};

/** The span that ends the window: what a device waits for that has nothing left to do. */
const lastToEnd = ({ trace, chains }: View): number => {
  const ends = chains.index.computeRows.flatMap((rows) => rows.slice(-1));
  return ends.reduce((latest, row) => (trace.spans.endNs[row]! > trace.spans.endNs[latest]! ? row : latest), ends[0]!);
};

/** Charges the delays on a chain to a wait; returns what they do not account for. */
const chargeChain = (view: View, account: Account, wait: Wait, last: number, times: Record<IdleCause, number>): number => {
  const { trace, chains } = view;
  let leftNs = wait.endNs - wait.startNs;
  if (wait.row >= 0) {
    leftNs = chargeArrival(view, wait, wait.row, leftNs, times);
    const ownNs = Math.min(leftNs, chains.waitNs[wait.row]! - chains.arrivalNs[wait.row]!);
    times[unexplainedCause(trace)] += ownNs;
    leftNs -= ownNs;
    if (waitsForArrival(trace, chains, wait.row)) return leftNs;
  }
  const walk = isDraining(view, wait) ? everyRow(view, account) : rowsWithDelays(view, account);
  for (let row = walk.from(last); leftNs > 0 && row >= 0; row = walk.from(walk.before(row))) {
    if (waitsForArrival(trace, chains, row)) return chargeArrival(view, wait, row, leftNs, times);
    if (!isOwn(view, account, row)) leftNs = chargeRow(account, row, leftNs, times);
    if (leftNs === 0 || view.opening[row] === 1) break;
  }
  return leftNs;
};

/** Whether nothing enters the pipeline any more when a wait begins. */
const isDraining = ({ lastEntryNs }: View, { startNs, row }: Wait): boolean => row < 0 || lastEntryNs <= startNs;

/** How a chain is walked back; −1 ends it. */
interface Walk {
  readonly from: (row: number) => number;
  /** Called once a row's delays are charged in full. */
  readonly before: (row: number) => number;
}

/** Up to the device's own part in the chain. */
const everyRow = (view: View, account: Account): Walk => ({
  from: (row) => (row >= 0 && isOwn(view, account, row) ? -1 : row),
  before: (row) => view.chains.before[row]!,
});

/** To its start, without the rows that have nothing left to charge. */
const rowsWithDelays = ({ chains }: View, account: Account): Walk => ({
  from: (row) => standInOf(account, row),
  before: (row) => (account.standIn[row] = chains.before[row]!),
});

const isOwn = ({ trace: { spans } }: View, { device }: Account, row: number): boolean =>
  spans.device[row] === device && spans.stream[row] === STREAM.compute;

/** The nearest row at or before a row on its chain that may have something left to charge; −1 for none. */
const standInOf = ({ standIn }: Account, row: number): number => {
  let found = row;
  while (found >= 0 && standIn[found] !== found) found = standIn[found]!;
  for (let at = row; at >= 0 && at !== found; ) {
    const next = standIn[at]!;
    standIn[at] = found;
    at = next;
  }
  return found;
};

const chargeRow = ({ delays, spentNs }: Account, row: number, neededNs: number, times: Record<IdleCause, number>): number => {
  let leftNs = neededNs;
  let skippedNs = spentNs[row]!;
  for (let part = 0; part < DELAY_PARTS && leftNs > 0; part++) {
    const amountNs = delays.amountOf(row, part);
    const takenNs = Math.min(leftNs, Math.max(0, amountNs - skippedNs));
    skippedNs = Math.max(0, skippedNs - amountNs);
    times[delays.causeOf(row, part)] += takenNs;
    leftNs -= takenNs;
  }
  spentNs[row]! += neededNs - leftNs;
  return leftNs;
};

/** Time inside a wait in which the job of a `load` had not arrived. */
const chargeArrival = (
  { trace: { spans }, chains }: View,
  { startNs, endNs }: Wait,
  row: number,
  neededNs: number,
  times: Record<IdleCause, number>,
): number => {
  const waitedFromNs = spans.startNs[row]! - chains.waitNs[row]!;
  const arrivedNs = waitedFromNs + chains.arrivalNs[row]!;
  const takenNs = Math.min(neededNs, Math.max(0, Math.min(endNs, arrivedNs) - Math.max(startNs, waitedFromNs)));
  times.noWork += takenNs;
  return neededNs - takenNs;
};

/** Why nothing else covered the latency of a wait's chain. */
const latencyCause = (view: View, wait: Wait, last: number): IdleCause => {
  if (isDraining(view, wait)) return 'fillDrain';
  const { trace, steps, memory } = view;
  if (memory.holds(wait.device, wait.startNs)) return 'memoryCap';
  const step = last < 0 ? -1 : steps[last]!;
  if (step < 0) return 'fillDrain';
  const adapters = adaptersOfSpan(trace.plan, trace.spans, wait.row);
  return adapters.includes(trace.spans.operand[step]!) ? 'ownStep' : 'otherStep';
};
