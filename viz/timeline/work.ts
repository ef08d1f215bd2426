import { KIND } from '../../core/plan/op.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { carriesMicrobatch, stripeAdapter, stripeCount } from './span-fill.ts';

/** What spans of several devices and streams have in common. */
export type Work =
  | { readonly kind: 'microbatch'; readonly microbatch: number }
  | { readonly kind: 'step'; readonly adapter: number; readonly iteration: number }
  | { readonly kind: 'lifecycle'; readonly opKind: number; readonly adapter: number }
  | { readonly kind: 'adapter'; readonly adapter: number };

/** The microbatch a span carries, or the step or life-cycle op it is a stage's share of. */
export const workOf = (trace: Trace, span: number): Work => {
  const operand = trace.spans.operand[span]!;
  const opKind = trace.spans.kind[span]!;
  if (carriesMicrobatch(trace, span)) return { kind: 'microbatch', microbatch: operand };
  if (opKind === KIND.step) return { kind: 'step', adapter: operand, iteration: trace.spans.iteration[span]! };
  return { kind: 'lifecycle', opKind, adapter: operand };
};

const hasAdapter = (trace: Trace, span: number, adapter: number): boolean => {
  for (let s = 0; s < stripeCount(trace, span); s++) if (stripeAdapter(trace, span, s) === adapter) return true;
  return false;
};

/** Whether a span is part of the work. */
export const isPartOf = (trace: Trace, span: number, work: Work): boolean => {
  const { kind, operand, iteration } = trace.spans;
  switch (work.kind) {
    case 'microbatch':
      return operand[span] === work.microbatch && carriesMicrobatch(trace, span);
    case 'step':
      return operand[span] === work.adapter && kind[span] === KIND.step && iteration[span] === work.iteration;
    case 'lifecycle':
      return operand[span] === work.adapter && kind[span] === work.opKind;
    case 'adapter':
      return hasAdapter(trace, span, work.adapter);
  }
};

export const isSameWork = (a: Work | null, b: Work | null): boolean => JSON.stringify(a) === JSON.stringify(b);
