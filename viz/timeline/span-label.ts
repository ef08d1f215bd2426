import { kindName, type OpKind } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { textWidth } from '../surface/text-width.ts';
import { carriesMicrobatch, stripeAdapter, stripeCount } from './span-fill.ts';

const LABEL_SIZE = 11;
const SMALL_SIZE = 9;
const LABEL_MARGIN = 1.5;
/** Bars narrower than a digit are not asked for their label. */
const NARROWEST = 7;

export interface SpanLabel {
  readonly text: string;
  /** Font size in pixels. */
  readonly size: number;
}

const SHORT: Readonly<Record<OpKind, string>> = {
  forward: 'F',
  backward: 'B',
  step: 'S',
  sendForward: '',
  receiveForward: '',
  sendBackward: '',
  receiveBackward: '',
  load: 'load',
  save: 'save',
  release: 'free',
  backwardInput: 'I',
  backwardWeight: 'W',
  allGatherForward: '',
  allGatherBackward: '',
  allReduceForward: '',
  allReduceBackward: '',
  allReduceGradients: '',
  reduceScatterGradients: '',
  allReduceNorm: '',
};

/** Names of the adapters a span works for. */
export const adapterNames = (trace: Trace, span: number): readonly string[] =>
  Array.from({ length: stripeCount(trace, span) }, (_, s) => trace.plan.adapters[stripeAdapter(trace, span, s)] ?? '?');

/** Longest label first: kind, number and adapters; kind and number; the number alone. */
const candidates = (trace: Trace, span: number): readonly string[] => {
  if (trace.kernels !== undefined) return [trace.kernels[trace.spans.operand[span]!]!];
  const kind = SHORT[kindName(trace.spans.kind[span]!)];
  if (kind === '') return [];
  const names = adapterNames(trace, span).join(' + ');
  if (!carriesMicrobatch(trace, span)) return [`${kind} ${names}`, kind];
  const number = String(trace.spans.operand[span]!);
  return [`${kind}${number} ${names}`, `${kind}${number}`, number];
};

const fits = (text: string, size: number, width: number): boolean => textWidth(text, size) + 2 * LABEL_MARGIN <= width;

/** The longest label that fits a bar of that many pixels, in small print if need be. */
export const labelFor = (trace: Trace, span: number, width: number): SpanLabel | null => {
  if (width < NARROWEST) return null;
  const texts = candidates(trace, span);
  const text = texts.find((candidate) => fits(candidate, LABEL_SIZE, width));
  if (text !== undefined) return { text, size: LABEL_SIZE };
  const shortest = texts.at(-1);
  return shortest !== undefined && fits(shortest, SMALL_SIZE, width) ? { text: shortest, size: SMALL_SIZE } : null;
};
