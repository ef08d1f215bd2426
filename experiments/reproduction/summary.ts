/** How far our figures are from the paper's, series by series, as CSV and Markdown. */
import { stringify } from 'csv-stringify/sync';
import { summarizeErrors } from '../scorecard/errors.ts';
import { percent } from '../scorecard/judge.ts';
import { completionClaims, type Claim } from './claims.ts';
import { fitAgrees, type EvaluatedFigure, type EvaluatedPanel, type EvaluatedPoint, type EvaluatedSeries } from './evaluate.ts';
import { rounded } from './figure-csv.ts';

/** Agreement of one series with the paper's. */
export interface SeriesSummary {
  readonly figure: number;
  readonly panel: string;
  readonly series: string;
  /** Points where both have a number. */
  readonly points: number;
  readonly mape: number | null;
  readonly worst: number | null;
  readonly bias: number | null;
  /** Largest difference where the paper has 0, of which there is no relative error. */
  readonly worstAtZero: number | null;
  /** Points for which the paper and we agree whether the run fits, of those the paper has. */
  readonly fitAgrees: number;
  readonly ofPoints: number;
}

const pairOf = ({ x, paper, ours }: EvaluatedPoint) =>
  typeof paper === 'number' && ours.kind === 'value' ? [{ id: String(x), measured: paper, predicted: ours.value }] : [];

const summarize = (figure: number, panel: EvaluatedPanel, { series, points }: EvaluatedSeries): SeriesSummary => {
  const pairs = points.flatMap(pairOf);
  const errors = summarizeErrors(pairs.filter(({ measured }) => measured !== 0));
  const zeros = pairs.filter(({ measured }) => measured === 0).map(({ predicted }) => Math.abs(predicted));
  const fits = points.map(fitAgrees).filter((agrees) => agrees !== null);
  return {
    figure,
    panel: panel.panel.title,
    series: series.name,
    points: pairs.length,
    mape: errors?.mean ?? null,
    worst: errors?.worst ?? null,
    bias: errors?.bias ?? null,
    worstAtZero: zeros.length === 0 ? null : Math.max(...zeros),
    fitAgrees: fits.filter((agrees) => agrees).length,
    ofPoints: fits.length,
  };
};

/** One line for every series that the paper has too. */
export const summarizeFigures = (figures: readonly EvaluatedFigure[]): SeriesSummary[] =>
  figures.flatMap(({ figure, panels }) =>
    panels.flatMap((panel) =>
      panel.series.filter(({ series }) => series.paper !== null).map((series) => summarize(figure.number, panel, series)),
    ),
  );

const blankOr = (value: number | null): number | '' => (value === null ? '' : rounded(value));

export const summaryCsv = (figures: readonly EvaluatedFigure[]): string =>
  stringify(
    summarizeFigures(figures).map((line) => ({
      ...line,
      mape: blankOr(line.mape),
      worst: blankOr(line.worst),
      bias: blankOr(line.bias),
      worstAtZero: blankOr(line.worstAtZero),
    })),
    { header: true },
  );

/** Cells of a table; the first row is the heading. */
export type Cells = readonly (readonly string[])[];

const share = (value: number | null): string => (value === null ? '–' : percent(value));

/** Heat maps are a line each row: one for the whole panel is enough. */
const worstOfPanel = (lines: readonly SeriesSummary[]): SeriesSummary[] => {
  const [first] = lines;
  if (first?.series.startsWith('N = ') !== true) return [...lines];
  const points = lines.reduce((sum, line) => sum + line.points, 0);
  const mean = lines.reduce((sum, { mape, points: count }) => sum + (mape ?? 0) * count, 0) / points;
  const zeros = lines.flatMap(({ worstAtZero }) => worstAtZero ?? []);
  return [
    {
      ...first,
      series: 'all cells',
      points,
      mape: mean,
      worst: Math.max(...lines.map(({ worst }) => worst ?? 0)),
      worstAtZero: zeros.length === 0 ? null : Math.max(...zeros),
      fitAgrees: lines.reduce((sum, line) => sum + line.fitAgrees, 0),
      ofPoints: lines.reduce((sum, line) => sum + line.ofPoints, 0),
    },
  ];
};

export const summaryCells = (figures: readonly EvaluatedFigure[]): Cells => [
  ['Fig.', 'panel', 'series', 'points', 'MAPE', 'worst', 'bias', 'fits or not'],
  ...figures
    .flatMap((figure) => figure.panels.flatMap((panel) => worstOfPanel(summarizeFigures([{ ...figure, panels: [panel] }]))))
    .map((line) => [
      String(line.figure),
      line.panel,
      line.series,
      String(line.points),
      share(line.mape),
      share(line.worst),
      share(line.bias),
      `${line.fitAgrees} of ${line.ofPoints}`,
    ]),
];

const points = (value: number): string => `${value > 0 ? '+' : ''}${(100 * value).toFixed(1)}`;

const CLOSE = 5 / 100;

/** How many claims come out within five points, in words. */
export const claimsInWords = (claims: readonly Claim[]): string =>
  `${claims.filter(({ paper, ours }) => Math.abs(ours - paper) <= CLOSE).length} of ${claims.length} within 5 points.`;

export const claimCells = (claims: readonly Claim[]): Cells => [
  ['Figure 7', 'mLoRA against', 'paper: less time by', 'ours: less time by', 'difference in points'],
  ...claims.map(({ panel, against, paper, ours }) => [panel, against, percent(paper), percent(ours), points(ours - paper)]),
];

const markdownTable = ([header, ...rows]: Cells): string =>
  [header!, header!.map(() => '---'), ...rows].map((row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n');

export const summaryMarkdown = (figures: readonly EvaluatedFigure[]): string => {
  const claims = completionClaims(figures);
  return `${[
    '# The paper’s figures, reproduced',
    'Written by `mlora reproduce`. Errors are (ours − paper) ÷ paper; “fits or not” counts the points for which both say whether the run fits in memory.',
    markdownTable(summaryCells(figures)),
    ...(claims.length === 0 ? [] : ['## Completion time, at the most adapters', claimsInWords(claims), markdownTable(claimCells(claims))]),
  ].join('\n\n')}\n`;
};
