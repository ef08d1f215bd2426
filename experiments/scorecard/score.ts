import type { Constant, DataSet, Fitted, Measure, Observation } from './data-set.ts';
import { summarizeErrors, type ErrorSummary, type Point } from './errors.ts';
import { judge, type JudgedPoint, type Verdict } from './judge.ts';
import { divideRows } from './split-rows.ts';

export interface MeasureScore {
  readonly name: string;
  readonly unit: string;
  /** How well the constants describe the rows they were fitted on; null where there are none. */
  readonly fit: ErrorSummary | null;
  readonly test: ErrorSummary;
  /** null: reported for comparison only. */
  readonly verdict: Verdict | null;
  readonly points: { readonly fit: readonly Point[]; readonly test: readonly Point[] };
}

export interface Score {
  readonly name: string;
  readonly source: string;
  readonly rule: string;
  readonly rows: { readonly fit: number; readonly test: number };
  readonly constants: readonly Constant[];
  readonly measures: readonly MeasureScore[];
  readonly notes: readonly string[];
}

/**
 * Fits a data set's constants on the rows its split names for that, then predicts all rows from their inputs. The fit
 * is handed no other rows, so that nothing it returns can depend on a test row.
 */
export const score = <Input, Quantity extends string>(dataSet: DataSet<Input, Quantity>): Score => {
  const { name, source, split, measures, notes } = dataSet;
  const rows = divideRows(dataSet.rows, split);
  const fitted = dataSet.fit(rows.fit);
  const predicted = { fit: predictRows(fitted, rows.fit), test: predictRows(fitted, rows.test) };
  return {
    name,
    source,
    rule: split.rule,
    rows: { fit: rows.fit.length, test: rows.test.length },
    constants: fitted.constants,
    measures: measures.map((measure) => scoreMeasure(measure, pointsOf(measure, predicted.fit), pointsOf(measure, predicted.test))),
    notes,
  };
};

interface Predicted<Input, Quantity extends string> {
  readonly row: Observation<Input, Quantity>;
  readonly predicted: Readonly<Record<Quantity, number>>;
}

const predictRows = <Input, Quantity extends string>(
  fitted: Fitted<Input, Quantity>,
  rows: readonly Observation<Input, Quantity>[],
): Predicted<Input, Quantity>[] => rows.map((row) => ({ row, predicted: fitted.predict(row.input) }));

/** Throws where a prediction is no number: it must not drop out of the average. */
const pointsOf = <Input, Quantity extends string>(
  { quantity, where = () => true }: Measure<Input, Quantity>,
  rows: readonly Predicted<Input, Quantity>[],
): JudgedPoint<Input>[] =>
  rows.flatMap(({ row: { id, input, measured }, predicted: { [quantity]: predicted } }) => {
    const value = measured[quantity];
    if (value === undefined || !where(input)) return [];
    if (!Number.isFinite(predicted)) throw new Error(`${quantity} of ${id} is predicted as ${predicted}`);
    return [{ id, input, measured: value, predicted }];
  });

const scoreMeasure = <Input, Quantity extends string>(
  { name, unit, target }: Measure<Input, Quantity>,
  fit: readonly JudgedPoint<Input>[],
  test: readonly JudgedPoint<Input>[],
): MeasureScore => {
  const errors = summarizeErrors(test);
  if (errors === null) throw new Error(`no test row has what ${name} measures`);
  return {
    name,
    unit,
    fit: summarizeErrors(fit),
    test: errors,
    verdict: target === null ? null : judge(target, test, unit),
    points: { fit: fit.map(pointOf), test: test.map(pointOf) },
  };
};

const pointOf = ({ id, measured, predicted }: Point): Point => ({ id, measured, predicted });
