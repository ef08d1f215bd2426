/**
 * A published set of measurements that the project's predictions are held against. Inputs and measurements are apart
 * by type: `fit` sees the measurements of the rows its split names, `predict` sees inputs only.
 */

/** One published row: what was run, and what was measured of it, by quantity. */
export interface Observation<Input, Quantity extends string> {
  readonly id: string;
  readonly input: Input;
  /** Quantities that were not measured for this row are absent. */
  readonly measured: Readonly<Partial<Record<Quantity, number>>>;
}

/** A number that was fitted. */
export interface Constant {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export interface Fitted<Input, Quantity extends string> {
  readonly constants: readonly Constant[];
  readonly predict: (input: Input) => Readonly<Record<Quantity, number>>;
}

/** What a measure has to reach on the test rows; shares of the measured value, or the quantity's own unit. */
export type Target<Input> =
  | { readonly kind: 'meanError'; readonly below: number }
  | { readonly kind: 'worstError'; readonly atMost: number }
  | { readonly kind: 'worstDifference'; readonly atMost: number }
  /** Every row equal when both are written with so many decimals. */
  | { readonly kind: 'decimals'; readonly places: number }
  /** Rows of one group come in the measured order; equal measurements may come in any. */
  | { readonly kind: 'order'; readonly group: (input: Input) => string };

/** One line of the scorecard: a quantity over the rows that it concerns. */
export interface Measure<Input, Quantity extends string> {
  readonly name: string;
  readonly quantity: Quantity;
  readonly unit: string;
  /** Absent: all rows for which the quantity was measured. */
  readonly where?: (input: Input) => boolean;
  /** null: reported for comparison only. */
  readonly target: Target<Input> | null;
}

/** Which rows constants may be fitted on, by id; it stands in a file beside the data. */
export interface Split {
  /** How the rows were divided, before anything was fitted. */
  readonly rule: string;
  readonly fit: readonly string[];
  readonly test: readonly string[];
}

export interface DataSet<Input, Quantity extends string> {
  readonly name: string;
  readonly source: string;
  readonly rows: readonly Observation<Input, Quantity>[];
  readonly split: Split;
  readonly fit: (rows: readonly Observation<Input, Quantity>[]) => Fitted<Input, Quantity>;
  readonly measures: readonly Measure<Input, Quantity>[];
  /** Markdown paragraphs for the report: the model behind the prediction, what is left of the error and why. */
  readonly notes: readonly string[];
}
