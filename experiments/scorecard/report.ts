/** A scorecard as text for the terminal, as CSV, JSON and Markdown. Figures are rounded so that reruns give equal files. */
import { stringify } from 'csv-stringify/sync';
import { formatTable } from '../../core/text-table.ts';
import { relativeError, type ErrorSummary, type Point } from './errors.ts';
import { percent } from './judge.ts';
import type { MeasureScore, Score } from './score.ts';

const HEADER = ['data set', 'measure', 'fit on', 'constants', 'tested on', 'MAPE', 'median', 'worst', 'bias', 'target', 'reached', ''] as const;

const rounded = (value: number): number => Number(value.toPrecision(6));

const outcome = ({ verdict }: MeasureScore): string => (verdict === null ? '' : verdict.passed ? 'pass' : 'MISSED');

const cellsOf = ({ name, rows, constants }: Score, measure: MeasureScore): string[] => [
  name,
  measure.name,
  String(rows.fit),
  String(constants.length),
  String(measure.test.points),
  percent(measure.test.mean),
  percent(measure.test.median),
  percent(measure.test.worst),
  signedPercent(measure.test.bias),
  measure.verdict?.target ?? 'for comparison',
  measure.verdict?.reached ?? '',
  outcome(measure),
];

const signedPercent = (share: number): string => `${share > 0 ? '+' : ''}${percent(share)}`;

const tableOf = (scores: readonly Score[]): string[][] => [
  [...HEADER],
  ...scores.flatMap((score) => score.measures.map((measure) => cellsOf(score, measure))),
];

/** One line per measure. */
export const formatScorecard = (scores: readonly Score[]): string => {
  const verdicts = scores.flatMap(({ measures }) => measures.flatMap(({ verdict }) => verdict ?? []));
  const passed = verdicts.filter((verdict) => verdict.passed).length;
  return `${formatTable(tableOf(scores))}\n\n${passed} of ${verdicts.length} targets reached`;
};

const errorColumns = (prefix: string, errors: ErrorSummary | null): Record<string, number | string> =>
  errors === null
    ? { [`${prefix}Points`]: 0 }
    : {
        [`${prefix}Points`]: errors.points,
        [`${prefix}Mape`]: rounded(errors.mean),
        [`${prefix}Median`]: rounded(errors.median),
        [`${prefix}Worst`]: rounded(errors.worst),
        [`${prefix}Bias`]: rounded(errors.bias),
      };

const summaryColumns = ({ name, rows, constants }: Score, measure: MeasureScore) => ({
  dataSet: name,
  measure: measure.name,
  fitRows: rows.fit,
  constants: constants.length,
  ...errorColumns('test', measure.test),
  ...errorColumns('fit', measure.fit),
  target: measure.verdict?.target ?? '',
  reached: measure.verdict?.reached ?? '',
  passed: measure.verdict === null ? '' : String(measure.verdict.passed),
});

const ERRORS = ['Points', 'Mape', 'Median', 'Worst', 'Bias'] as const;
const SUMMARY_COLUMNS = [
  ...['dataSet', 'measure', 'fitRows', 'constants'],
  ...ERRORS.map((error) => `test${error}`),
  ...ERRORS.map((error) => `fit${error}`),
  ...['target', 'reached', 'passed'],
];

const summaryCsv = (scores: readonly Score[]): string =>
  stringify(
    scores.flatMap((score) => score.measures.map((measure) => summaryColumns(score, measure))),
    { header: true, columns: SUMMARY_COLUMNS },
  );

const pointRows = ({ name }: Score, measure: MeasureScore, split: 'fit' | 'test') =>
  measure.points[split].map((point: Point) => ({
    dataSet: name,
    measure: measure.name,
    row: point.id,
    split,
    measured: rounded(point.measured),
    predicted: rounded(point.predicted),
    error: rounded(relativeError(point)),
  }));

const pointsCsv = (scores: readonly Score[]): string =>
  stringify(
    scores.flatMap((score) =>
      score.measures.flatMap((measure) => [...pointRows(score, measure, 'fit'), ...pointRows(score, measure, 'test')]),
    ),
    { header: true, columns: ['dataSet', 'measure', 'row', 'split', 'measured', 'predicted', 'error'] },
  );

const scoreJson = ({ name, source, rule, rows, constants, measures }: Score) => ({
  name,
  source,
  split: { rule, ...rows },
  constants: constants.map((constant) => ({ ...constant, value: rounded(constant.value) })),
  measures: measures.map(({ name: measure, unit, fit, test, verdict }) => ({
    name: measure,
    unit,
    fit: roundedErrors(fit),
    test: roundedErrors(test),
    verdict,
  })),
});

const roundedErrors = (errors: ErrorSummary | null) =>
  errors === null
    ? null
    : { ...errors, mean: rounded(errors.mean), median: rounded(errors.median), worst: rounded(errors.worst), bias: rounded(errors.bias) };

const markdownRow = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

const markdownTable = ([header, ...rows]: readonly (readonly string[])[]): string =>
  [markdownRow(header!), markdownRow(header!.map(() => '---')), ...rows.map(markdownRow)].join('\n');

const constantsTable = ({ constants, rows }: Score): string =>
  constants.length === 0
    ? 'No constant is fitted.'
    : `Fitted on ${rows.fit} rows:\n\n${markdownTable([
        ['constant', 'value', 'unit'],
        ...constants.map(({ name, value, unit }) => [name, String(Number(value.toPrecision(4))), unit]),
      ])}`;

const section = (score: Score): string =>
  [
    `## ${score.name}`,
    `Source: ${score.source}.`,
    `Split: ${score.rule}.`,
    constantsTable(score),
    ...score.measures.map(
      ({ name, test, fit }) =>
        `${name}: worst row \`${test.worstId}\`, ${percent(test.worst)}${fit === null ? '' : `; MAPE of the rows fitted on ${percent(fit.mean)}`}.`,
    ),
    ...score.notes,
  ].join('\n\n');

const markdown = (scores: readonly Score[]): string =>
  [
    '# Scorecard',
    'Written by `mlora validate`. Errors are those of the test rows, as shares of what was measured; constants were fitted on other rows. Every point is in `points.csv`.',
    markdownTable(tableOf(scores)),
    ...scores.map(section),
    '',
  ].join('\n\n').trimEnd() + '\n';

export interface ScorecardFiles extends Readonly<Record<string, string>> {
  readonly 'scorecard.csv': string;
  readonly 'points.csv': string;
  readonly 'scorecard.json': string;
  readonly 'scorecard.md': string;
}

/** The files of a scorecard by name. */
export const scorecardFiles = (scores: readonly Score[]): ScorecardFiles => ({
  'scorecard.csv': summaryCsv(scores),
  'points.csv': pointsCsv(scores),
  'scorecard.json': `${JSON.stringify(scores.map(scoreJson), null, 2)}\n`,
  'scorecard.md': markdown(scores),
});
