/**
 * What each op waited for last, from the trace alone.
 *
 * An op starts when the op before it on its stream has ended and its inputs are there: the last of them to end is the
 * one that held it up. Followed backwards this gives every op a chain to the start of the run. A span's predecessor
 * always stands before it in the table, so chains end whatever a file says.
 */
import { communicatorsOf, type Communicators } from '../plan/collectives.ts';
import { KIND, OP_KINDS, STREAM, STREAM_OF_KIND, SUBJECT_OF_KIND, type OpKind } from '../plan/op.ts';
import { busyNs } from '../trace/metrics.ts';
import type { Trace } from '../trace/trace.ts';
import { expectedTimes } from './expected-times.ts';
import { indexSpans, isCommunication, lastBefore, type SpanIndex } from './span-index.ts';

export interface Chains {
  readonly index: SpanIndex;
  /** Time each span should have taken. */
  readonly expectedNs: Float64Array;
  /** By row: the span that held it up; −1 at the start of a chain. */
  readonly before: Int32Array;
  /** By row: time from the end of that span, or the start of the run, in which nothing that was recorded held it up. */
  readonly waitNs: Float64Array;
  /** By row: the first part of `waitNs`, in which the op's job had not arrived. */
  readonly arrivalNs: Float64Array;
}

/** An op that another one takes its data from: its kind, and its stage relative to that one's. */
interface Source {
  readonly kind: OpKind;
  readonly hop: number;
}

const at = (hop: number, ...kinds: OpKind[]): Source[] => kinds.map((kind) => ({ kind, hop }));

/** What a stage hands on, forward and backward: partial results of tensor-parallel ranks are summed first. */
const OUTPUT: readonly OpKind[] = ['forward', 'allReduceForward'];
const GRADIENT: readonly OpKind[] = ['backward', 'backwardInput', 'allReduceBackward'];
const BACKWARD_INPUTS = [...at(0, 'receiveBackward', 'forward', 'allGatherBackward', 'allReduceForward'), ...at(1, ...GRADIENT)];

/** Ops of the same microbatch whose results an op needs; those a trace does not have were not needed. */
const INPUTS: Readonly<Record<OpKind, readonly Source[]>> = {
  forward: [...at(0, 'receiveForward', 'allGatherForward'), ...at(-1, ...OUTPUT)],
  backward: BACKWARD_INPUTS,
  backwardInput: BACKWARD_INPUTS,
  backwardWeight: at(0, 'backwardInput'),
  sendForward: at(0, ...OUTPUT),
  receiveForward: at(-1, ...OUTPUT),
  sendBackward: at(0, ...GRADIENT),
  receiveBackward: at(1, ...GRADIENT),
  // Steps wait for gradient collectives, collectives for all their ranks: see `lastHold`.
  step: [],
  load: [],
  save: [],
  release: [],
  allGatherForward: [],
  allGatherBackward: [],
  allReduceForward: [],
  allReduceBackward: [],
  allReduceGradients: [],
  reduceScatterGradients: [],
  allReduceNorm: [],
};

/** The other end of a transfer: what its stream did before holds the transfer up too. */
const PEERS: Readonly<Partial<Record<OpKind, Source>>> = {
  sendForward: { kind: 'receiveForward', hop: 1 },
  receiveForward: { kind: 'sendForward', hop: -1 },
  sendBackward: { kind: 'receiveBackward', hop: -1 },
  receiveBackward: { kind: 'sendBackward', hop: 1 },
};

interface SourceCode {
  readonly kind: number;
  readonly hop: number;
}

const codeOf = ({ kind, hop }: Source): SourceCode => ({ kind: KIND[kind], hop });
const INPUT_CODES = OP_KINDS.map((kind) => INPUTS[kind].map(codeOf));
const PEER_CODES = OP_KINDS.map((kind) => (PEERS[kind] === undefined ? null : codeOf(PEERS[kind])));

/** Rows of the same microbatch whose results a span needs; none for what works for no microbatch. */
export const inputRows = ({ spans }: Trace, index: SpanIndex, row: number): number[] => {
  const [stage, operand] = [spans.stage[row]!, spans.operand[row]!];
  return INPUT_CODES[spans.kind[row]!]!.map(({ kind, hop }) => index.rowOf(kind, stage + hop, operand)).filter((input) => input >= 0);
};

export const findChains = (trace: Trace): Chains => {
  const index = indexSpans(trace);
  const expectedNs = expectedTimes(trace, index);
  const { spans, plan } = trace;
  const before = new Int32Array(spans.length).fill(-1);
  const waitNs = new Float64Array(spans.length);
  const arrivalNs = new Float64Array(spans.length);
  const originNs = spans.length === 0 ? 0 : spans.startNs[0]!;
  const timing: Timing = {
    trace,
    index,
    expectedNs,
    loadNs: busyNs(trace),
    communicators: communicatorsOf(plan.stages),
    reductions: new Map(),
  };
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] === STREAM.host) continue;
    const startNs = spans.startNs[row]!;
    const last = lastHold(timing, row);
    before[row] = last.row;
    const freeNs = last.row < 0 ? originNs : Math.min(startNs, last.endNs);
    waitNs[row] = startNs - freeNs;
    if (spans.kind[row] !== KIND.load) continue;
    arrivalNs[row] = Math.max(0, Math.min(startNs, plan.arrivalsNs[spans.operand[row]!]!) - freeNs);
  }
  return { index, expectedNs, before, waitNs, arrivalNs };
};

interface Timing {
  readonly trace: Trace;
  readonly index: SpanIndex;
  readonly expectedNs: Float64Array;
  /** By device: time its compute stream is busy. */
  readonly loadNs: readonly number[];
  readonly communicators: Communicators;
  /** By device and adapter: its last gradient collective so far. */
  readonly reductions: Map<string, number>;
}

interface Hold {
  row: number;
  endNs: number;
}

/**
 * The last to end of what a span needs. Of two that end together, the one that the device with more work has made:
 * equal ops end together often, and the chain then stays with the device that sets the pace.
 */
const lastHold = (timing: Timing, row: number): Hold => {
  const { trace: { spans }, index } = timing;
  const hold: Hold = { row: -1, endNs: -Infinity };
  const offer = (candidate: number, isInput: boolean): void => {
    if (candidate < 0 || candidate >= row) return;
    const endNs = endOf(timing, candidate);
    // Clocks of measured ranks differ a little: an input may seem to end after its use, anything else cannot matter then.
    if (!isInput && endNs > spans.startNs[row]!) return;
    if (endNs < hold.endNs || (endNs === hold.endNs && loadBehind(timing, candidate) <= loadBehind(timing, hold.row))) return;
    hold.row = candidate;
    hold.endNs = endNs;
  };
  const kind = spans.kind[row]!;
  const [stage, operand] = [spans.stage[row]!, spans.operand[row]!];
  offer(index.previous[row]!, false);
  for (const input of inputRows(timing.trace, index, row)) offer(input, true);
  const peer = PEER_CODES[kind] ?? null;
  const peerRow = peer === null ? -1 : index.rowOf(peer.kind, stage + peer.hop, operand);
  if (peerRow >= 0) offer(index.previous[peerRow]!, false);
  if (kind === KIND.step) offer(timing.reductions.get(adapterKey(timing, row)) ?? -1, true);
  if (STREAM_OF_KIND[kind] === STREAM.collective) offerRanks(timing, row, offer);
  return hold;
};

const adapterKey = ({ trace: { spans } }: Timing, row: number): string => `${spans.device[row]} ${spans.operand[row]}`;

/** A collective begins when the last of its ranks has come to it: it has done what it computed or summed before. */
const offerRanks = (timing: Timing, row: number, offer: (candidate: number, isInput: boolean) => void): void => {
  const { trace: { spans }, index, communicators, reductions } = timing;
  const startNs = spans.startNs[row]!;
  for (const device of communicators.members[communicators.of(spans.kind[row]!, spans.stage[row]!)]!) {
    for (const rows of [index.computeRows[device]!, index.collectiveRows[device]!]) {
      let last = lastBefore(rows, spans.startNs, startNs + 1);
      while (last >= 0 && (rows[last]! >= row || spans.endNs[rows[last]!]! > startNs)) last--;
      if (last >= 0) offer(rows[last]!, false);
    }
  }
  if (SUBJECT_OF_KIND[spans.kind[row]!] === 'iteration') reductions.set(adapterKey(timing, row), row);
};

/** A transfer holds its receiver up until it should have been there; what came later is the receiver's doing. */
const endOf = ({ trace: { spans }, expectedNs }: Timing, row: number): number =>
  isCommunication(spans.kind[row]!) ? spans.startNs[row]! + expectedNs[row]! : spans.endNs[row]!;

/** Work of the device that computed a span, or what a transfer brings. */
const loadBehind = ({ trace: { spans, plan }, loadNs }: Timing, row: number): number => {
  const [source] = isCommunication(spans.kind[row]!) ? INPUT_CODES[spans.kind[row]!]! : [];
  const device = source === undefined ? spans.device[row]! : (plan.stages[spans.stage[row]! + source.hop]?.device ?? spans.device[row]!);
  return loadNs[device]!;
};
