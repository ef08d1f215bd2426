import type { Problems } from '../../../core/problem.ts';
import type { DeviceIdle, IdleSplit } from '../../../core/explain/idle.ts';
import type { TraceSummary } from '../../../core/trace/summary.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import type { Refusal } from './plan-setup.ts';
import type { Setup } from './setup.ts';

/** What the page asks its worker. Every request is answered once, under its number. */
export type Request =
  | { readonly kind: 'plan'; readonly setup: Setup; readonly variant: string }
  | { readonly kind: 'file'; readonly file: FileKind; readonly setup: Setup; readonly variant: string }
  | { readonly kind: 'read'; readonly name: string; readonly text: string };

export type FileKind = 'experiment' | 'plan' | 'trace';

/** A schedule that ran. */
export interface Run {
  readonly label: string;
  readonly trace: Trace;
  readonly summary: TraceSummary;
  readonly idle: IdleTotals;
}

/** Idle time by cause without the single stretches, of which there may be very many. */
export interface IdleTotals {
  readonly windowNs: number;
  readonly devices: readonly DeviceIdle[];
  readonly total: IdleSplit['total'];
}

/** A schedule that was asked for: what it did, or why it did nothing. */
export type Outcome =
  | ({ readonly kind: 'ran' } & Run)
  | { readonly kind: 'refused'; readonly label: string; readonly refusal: Refusal };

export type Answer =
  | { readonly kind: 'planned'; readonly outcome: Outcome }
  | { readonly kind: 'file'; readonly text: string }
  | { readonly kind: 'read'; readonly run: Run }
  | { readonly kind: 'unreadable'; readonly problems: Problems };

export interface Numbered<T> {
  readonly number: number;
  readonly body: T;
}
