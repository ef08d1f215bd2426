import { findChains, inputRows } from '../../core/explain/chain.ts';
import { isCommunication } from '../../core/explain/span-index.ts';
import { KIND, STREAM } from '../../core/plan/op.ts';
import type { SpanTable, Trace } from '../../core/trace/trace.ts';

/** What is exposed of the transfers of a measured run; nanoseconds, of all devices together. */
export interface ExposedTransfers {
  readonly count: number;
  /** In which a device computes nothing and what its next op takes in is on its way: made, and not yet received. */
  readonly idleNs: number;
  /** In which the devices would have been through earlier had transfers taken no time: idle time that only they cause. */
  readonly causedNs: number;
}

/** `transferNs`: what a transfer to a waiting rank takes. */
export const exposedTransfers = (trace: Trace, transferNs: number): ExposedTransfers => {
  const inputs = computeInputs(trace);
  const devices = trace.devices.length;
  return {
    count: inputs.filter((input) => input?.received !== undefined).length,
    idleNs: idleOnTheWay(trace, inputs),
    causedNs: devices * (replayNs(trace, inputs, transferNs) - replayNs(trace, inputs, 0)),
  };
};

/** What a compute op takes in: the row that has made it, and the row that has received it where it comes from elsewhere. */
interface Input {
  readonly made: number;
  readonly received?: number;
}

const computeInputs = (trace: Trace): (Input | null)[] => {
  const { spans } = trace;
  const { index } = findChains(trace);
  return Array.from({ length: spans.length }, (_, row) => {
    if (!isPass(spans, row)) return null;
    const rows = inputRows(trace, index, row);
    const received = rows.find((input) => isCommunication(spans.kind[input]!));
    if (received === undefined) return rows.length > 0 ? { made: rows[0]! } : null;
    const hop = spans.kind[row] === KIND.forward ? -1 : 1;
    return { made: index.rowOf(spans.kind[row]!, spans.stage[row]! + hop, spans.operand[row]!), received };
  });
};

const isPass = ({ kind }: SpanTable, row: number): boolean => kind[row] === KIND.forward || kind[row] === KIND.backward;

const idleOnTheWay = ({ spans, devices }: Trace, inputs: readonly (Input | null)[]): number => {
  const freeNs = devices.map(() => Infinity);
  let idleNs = 0;
  for (const [row, input] of inputs.entries()) {
    if (spans.stream[row] !== STREAM.compute) continue;
    const device = spans.device[row]!;
    if (input?.received !== undefined) {
      const fromNs = Math.max(freeNs[device]!, spans.endNs[input.made]!);
      idleNs += Math.max(0, Math.min(spans.startNs[row]!, spans.endNs[input.received]!) - fromNs);
    }
    freeNs[device] = spans.endNs[row]!;
  }
  return idleNs;
};

/** End of the run with each op's own time, in the order in which each device ran them, and every transfer this long. */
const replayNs = ({ spans, devices }: Trace, inputs: readonly (Input | null)[], transferNs: number): number => {
  const freeNs = devices.map(() => 0);
  const endNs = new Float64Array(spans.length);
  for (const [row, input] of inputs.entries()) {
    if (spans.stream[row] !== STREAM.compute) continue;
    const device = spans.device[row]!;
    const readyNs = input === null ? 0 : endNs[input.made]! + (input.received === undefined ? 0 : transferNs);
    endNs[row] = Math.max(freeNs[device]!, readyNs) + spans.endNs[row]! - spans.startNs[row]!;
    freeNs[device] = endNs[row]!;
  }
  return Math.max(...freeNs);
};
