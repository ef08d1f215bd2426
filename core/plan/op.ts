import { assertNever } from '../never.ts';

/**
 * One entry of a plan. `stage` is the stage that executes the op; `microbatch` indexes the plan's microbatch table,
 * `adapter` its adapter list.
 *
 * Transfers follow PyTorch's pipelining convention: `sendForward` of stage s carries the activations that stage s + 1
 * takes in with `receiveForward`; `sendBackward` of stage s carries the input gradient that stage s − 1 takes in with
 * `receiveBackward`.
 */
export type Op =
  | { readonly kind: MicrobatchOpKind; readonly stage: number; readonly microbatch: number }
  | { readonly kind: IterationOpKind; readonly stage: number; readonly adapter: number; readonly iteration: number }
  | { readonly kind: LifecycleOpKind; readonly stage: number; readonly adapter: number };

/** `backward` computes input and weight gradients; zero-bubble schedules split it into `backwardInput` and `backwardWeight`. */
export type ComputeOpKind = 'forward' | 'backward' | 'backwardInput' | 'backwardWeight';
export type TransferOpKind = 'sendForward' | 'receiveForward' | 'sendBackward' | 'receiveBackward';
/**
 * Collectives around one microbatch: a sharded stage's weights are gathered before its forward or backward, the partial
 * results of tensor-parallel ranks are summed after it.
 */
export type MicrobatchCollectiveKind = 'allGatherForward' | 'allGatherBackward' | 'allReduceForward' | 'allReduceBackward';
/**
 * Collectives between the last backward and the step of an adapter's iteration: gradients of data-parallel ranks are
 * summed, or summed and sharded; `allReduceNorm` sums the squared gradient norms of all stages, for clipping.
 */
export type GradientCollectiveKind = 'allReduceGradients' | 'reduceScatterGradients' | 'allReduceNorm';
export type CollectiveOpKind = MicrobatchCollectiveKind | GradientCollectiveKind;
export type MicrobatchOpKind = ComputeOpKind | TransferOpKind | MicrobatchCollectiveKind;
export type IterationOpKind = 'step' | GradientCollectiveKind;
/** `load` brings an adapter onto a stage, `save` hands its trained weights out, `release` frees it. */
export type LifecycleOpKind = 'load' | 'save' | 'release';
export type OpKind = Op['kind'];

/** Column codes of the op kinds; the order is part of the JSON form. */
export const OP_KINDS = [
  'forward',
  'backward',
  'step',
  'sendForward',
  'receiveForward',
  'sendBackward',
  'receiveBackward',
  'load',
  'save',
  'release',
  'backwardInput',
  'backwardWeight',
  'allGatherForward',
  'allGatherBackward',
  'allReduceForward',
  'allReduceBackward',
  'allReduceGradients',
  'reduceScatterGradients',
  'allReduceNorm',
] as const satisfies readonly OpKind[];

/** Code of each kind in the `kind` column: `KIND.forward === 0`. */
export const KIND = {
  forward: 0,
  backward: 1,
  step: 2,
  sendForward: 3,
  receiveForward: 4,
  sendBackward: 5,
  receiveBackward: 6,
  load: 7,
  save: 8,
  release: 9,
  backwardInput: 10,
  backwardWeight: 11,
  allGatherForward: 12,
  allGatherBackward: 13,
  allReduceForward: 14,
  allReduceBackward: 15,
  allReduceGradients: 16,
  reduceScatterGradients: 17,
  allReduceNorm: 18,
} as const satisfies Record<OpKind, number>;

export const kindName = (code: number): OpKind => {
  const name = OP_KINDS[code];
  if (name === undefined) throw new RangeError(`no op kind has code ${code}`);
  return name;
};

/** Streams of a device: each runs its ops one at a time and in order. */
export const STREAMS = ['compute', 'send', 'receive', 'host', 'collective'] as const;
export type Stream = (typeof STREAMS)[number];
export const STREAM = { compute: 0, send: 1, receive: 2, host: 3, collective: 4 } as const satisfies Record<Stream, number>;

/** What an op refers to besides its stage: a microbatch, an adapter's iteration, or an adapter. */
export type Subject = 'microbatch' | 'iteration' | 'adapter';

/** Stream and subject of every kind. */
const KIND_FACTS: Readonly<Record<OpKind, readonly [Stream, Subject]>> = {
  forward: ['compute', 'microbatch'],
  backward: ['compute', 'microbatch'],
  backwardInput: ['compute', 'microbatch'],
  backwardWeight: ['compute', 'microbatch'],
  step: ['compute', 'iteration'],
  load: ['compute', 'adapter'],
  save: ['compute', 'adapter'],
  release: ['compute', 'adapter'],
  sendForward: ['send', 'microbatch'],
  sendBackward: ['send', 'microbatch'],
  receiveForward: ['receive', 'microbatch'],
  receiveBackward: ['receive', 'microbatch'],
  allGatherForward: ['collective', 'microbatch'],
  allGatherBackward: ['collective', 'microbatch'],
  allReduceForward: ['collective', 'microbatch'],
  allReduceBackward: ['collective', 'microbatch'],
  allReduceGradients: ['collective', 'iteration'],
  reduceScatterGradients: ['collective', 'iteration'],
  allReduceNorm: ['collective', 'iteration'],
};

/** Stream that executes ops of a kind. */
export const streamOf = (kind: OpKind): Stream => KIND_FACTS[kind][0];

export const subjectOf = (kind: OpKind): Subject => KIND_FACTS[kind][1];

/** Stream code and subject by kind code, for loops over columns. */
export const STREAM_OF_KIND = Uint8Array.from(OP_KINDS, (kind) => STREAM[streamOf(kind)]);
export const SUBJECT_OF_KIND: readonly Subject[] = OP_KINDS.map(subjectOf);

/** The op of a kind: `operand` is its microbatch or adapter, `iteration` counts for kinds that have one. */
export const makeOp = (kind: OpKind, stage: number, operand: number, iteration: number): Op => {
  const subject = subjectOf(kind);
  switch (subject) {
    case 'microbatch':
      return { kind: kind as MicrobatchOpKind, stage, microbatch: operand };
    case 'iteration':
      return { kind: kind as IterationOpKind, stage, adapter: operand, iteration };
    case 'adapter':
      return { kind: kind as LifecycleOpKind, stage, adapter: operand };
    default:
      return assertNever(subject);
  }
};

/** Microbatch or adapter of an op. */
export const operandOf = (op: Op): number => ('microbatch' in op ? op.microbatch : op.adapter);

/** Iteration of an op; 0 for ops without one. */
export const iterationOf = (op: Op): number => ('iteration' in op ? op.iteration : 0);
