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
  | { readonly kind: 'step'; readonly stage: number; readonly adapter: number; readonly iteration: number }
  | { readonly kind: LifecycleOpKind; readonly stage: number; readonly adapter: number };

export type ComputeOpKind = 'forward' | 'backward';
export type TransferOpKind = 'sendForward' | 'receiveForward' | 'sendBackward' | 'receiveBackward';
export type MicrobatchOpKind = ComputeOpKind | TransferOpKind;
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
} as const satisfies Record<OpKind, number>;

export const kindName = (code: number): OpKind => {
  const name = OP_KINDS[code];
  if (name === undefined) throw new RangeError(`no op kind has code ${code}`);
  return name;
};

/** Streams of a device: each runs its ops one at a time and in order. */
export const STREAMS = ['compute', 'send', 'receive', 'host'] as const;
export type Stream = (typeof STREAMS)[number];
export const STREAM = { compute: 0, send: 1, receive: 2, host: 3 } as const satisfies Record<Stream, number>;

/** Stream that executes ops of a kind. */
export const streamOf = (kind: OpKind): Stream => {
  switch (kind) {
    case 'forward':
    case 'backward':
    case 'step':
    case 'load':
    case 'save':
    case 'release':
      return 'compute';
    case 'sendForward':
    case 'sendBackward':
      return 'send';
    case 'receiveForward':
    case 'receiveBackward':
      return 'receive';
    default:
      return assertNever(kind);
  }
};
