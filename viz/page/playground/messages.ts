import type { Problems } from '../../../core/problem.ts';
import type { DeviceIdle, IdleSplit } from '../../../core/explain/idle.ts';
import type { TraceSummary } from '../../../core/trace/summary.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import type { GapColumns } from './gap-columns.ts';
import type { Refusal } from './plan-setup.ts';
import type { Setup } from './setup.ts';

/** What the page asks its worker. Every request is answered once, under its number. */
export type Request =
  | { readonly kind: 'plan'; readonly setup: Setup; readonly variant: string }
  | { readonly kind: 'file'; readonly file: FileKind; readonly setup: Setup; readonly variant: string }
  | { readonly kind: 'explain' }
  | { readonly kind: 'read'; readonly name: string; readonly text: string };

export type FileKind = 'experiment' | 'plan' | 'trace';

/** A schedule that ran. */
export interface Run {
  readonly label: string;
  readonly trace: Trace;
  readonly summary: TraceSummary;
}

/** Why the devices of a run wait. */
export interface Explanation {
  readonly windowNs: number;
  readonly devices: readonly DeviceIdle[];
  readonly total: IdleSplit['total'];
  readonly gaps: GapColumns;
}

/** A schedule that was asked for: what it did, or why it did nothing. */
export type Outcome =
  | ({ readonly kind: 'ran' } & Run)
  | { readonly kind: 'refused'; readonly label: string; readonly refusal: Refusal };

export type Answer =
  | { readonly kind: 'planned'; readonly outcome: Outcome }
  | { readonly kind: 'file'; readonly text: string }
  /** Of what the worker planned last; null before anything ran. A foreign trace has no explanation. */
  | { readonly kind: 'explained'; readonly label: string; readonly explanation: Explanation | null }
  | { readonly kind: 'read'; readonly run: Run; readonly explanation: Explanation | null }
  | { readonly kind: 'unreadable'; readonly problems: Problems };

export interface Numbered<T> {
  readonly number: number;
  readonly body: T;
}
