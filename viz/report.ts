import type { Trace } from '../core/trace/trace.ts';

/** One line of the metrics table; texts carry their units, null where a run of that kind does not have the figure. */
export interface MetricRow {
  readonly label: string;
  readonly simulated: string | null;
  readonly measured: string | null;
}

/** A trace as the report shows it. Traces stand under each other in the given order, on one time axis. */
export interface LabelledTrace {
  /** E.g. `Simulated`. */
  readonly label: string;
  /** E.g. the trace's metrics in a line. */
  readonly subtitle: string;
  readonly trace: Trace;
}

export interface LossPoint {
  readonly iteration: number;
  /** Nats per token; a NaN leaves a gap. */
  readonly loss: number;
}

/** Losses of one adapter in order of iteration. */
export interface LossSeries {
  readonly name: string;
  readonly training: readonly LossPoint[];
  /** Losses on rows that never enter training; empty without evaluation. */
  readonly heldout: readonly LossPoint[];
}

/** Everything a report page shows; parts without data are left out of the page. */
export interface Report {
  readonly title: string;
  /** One sentence under the title: what ran, where, when. */
  readonly subtitle: string;
  readonly metrics: readonly MetricRow[];
  readonly traces: readonly LabelledTrace[];
  readonly losses: readonly LossSeries[];
  /** The resolved settings of the experiment as the user would write them, e.g. YAML; empty: not shown. */
  readonly settings: string;
}
