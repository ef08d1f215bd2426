import { OP_KINDS, SUBJECT_OF_KIND, type OpKind } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';

/** How a span is drawn; transfers and collectives look like the pass they belong to, on rows of their own. */
export const SHADE_NAMES = ['forward', 'backward', 'weight', 'step', 'lifecycle'] as const;
export type Shade = (typeof SHADE_NAMES)[number];

const SHADES: Readonly<Record<OpKind, Shade>> = {
  forward: 'forward',
  backward: 'backward',
  step: 'step',
  sendForward: 'forward',
  receiveForward: 'forward',
  sendBackward: 'backward',
  receiveBackward: 'backward',
  load: 'lifecycle',
  save: 'lifecycle',
  release: 'lifecycle',
  backwardInput: 'backward',
  backwardWeight: 'weight',
  allGatherForward: 'forward',
  allGatherBackward: 'backward',
  allReduceForward: 'forward',
  allReduceBackward: 'backward',
  allReduceGradients: 'step',
  reduceScatterGradients: 'step',
  allReduceNorm: 'step',
};

/** By column code: looked up once per span and frame. */
const SHADE_BY_CODE = OP_KINDS.map((kind) => SHADES[kind]);

export const shadeOf = ({ spans }: Trace, span: number): Shade => SHADE_BY_CODE[spans.kind[span]!]!;

/** True where the operand is a microbatch, false where it is an adapter. */
export const carriesMicrobatch = ({ spans }: Trace, span: number): boolean => SUBJECT_OF_KIND[spans.kind[span]!] === 'microbatch';

/** Number of adapters a span works for: one stripe each. */
export const stripeCount = (trace: Trace, span: number): number => {
  if (!carriesMicrobatch(trace, span)) return 1;
  const { partStart } = trace.plan.microbatches;
  const microbatch = trace.spans.operand[span]!;
  return partStart[microbatch + 1]! - partStart[microbatch]!;
};

/** Adapter of a stripe. */
export const stripeAdapter = (trace: Trace, span: number, stripe: number): number => {
  const operand = trace.spans.operand[span]!;
  if (!carriesMicrobatch(trace, span)) return operand;
  const { partStart, partAdapter } = trace.plan.microbatches;
  return partAdapter[partStart[operand]! + stripe]!;
};
