import type { Figure, Panel, Reading, Series, Value } from './figure.ts';
import { paperSeries, readPaperFigure, type PaperFigure, type PaperValue } from './paper.ts';
import { taskKey, type Task, type TaskResult } from './task.ts';

/** A point of a figure: the paper's value, ours, and how far apart they are. */
export interface EvaluatedPoint {
  readonly x: number | string;
  /** null where the paper has no such series. */
  readonly paper: PaperValue | null;
  readonly ours: Value;
  /** (ours − paper) ÷ paper; null where one of them has no number, or the paper's is 0. */
  readonly error: number | null;
}

export interface EvaluatedSeries {
  readonly series: Series;
  readonly points: readonly EvaluatedPoint[];
}

export interface EvaluatedPanel {
  readonly panel: Panel;
  readonly series: readonly EvaluatedSeries[];
}

export interface EvaluatedFigure {
  readonly figure: Figure;
  readonly paper: PaperFigure;
  readonly panels: readonly EvaluatedPanel[];
}

interface Position {
  readonly x: number | string;
  readonly paper: PaperValue | null;
  readonly reading: Reading;
}

const positionsOf = (paper: PaperFigure, panel: Panel, series: Series): Position[] => {
  const points = series.paper === null ? null : paperSeries(paper, panel.id, series.paper);
  const xs = series.at ?? points?.map(([x]) => x) ?? [];
  const paperAt = new Map<number | string, PaperValue>(points ?? []);
  return xs.map((x) => ({ x, paper: paperAt.get(x) ?? null, reading: series.point(x) }));
};

/** Every task that a figure's points need, each once. */
export const tasksOf = (figure: Figure): Task[] => {
  const paper = readPaperFigure(figure.number);
  const all = figure.panels.flatMap((panel) => panel.series.flatMap((series) => positionsOf(paper, panel, series).map(({ reading }) => reading.task)));
  return [...new Map(all.map((task) => [taskKey(task), task])).values()];
};

/** A figure's points from the results of its tasks, by key. */
export const evaluateFigure = (figure: Figure, results: ReadonlyMap<string, TaskResult>): EvaluatedFigure => {
  const paper = readPaperFigure(figure.number);
  return {
    figure,
    paper,
    panels: figure.panels.map((panel) => ({
      panel,
      series: panel.series.map((series) => ({
        series,
        points: positionsOf(paper, panel, series).map((position) => evaluatePoint(position, results)),
      })),
    })),
  };
};

const evaluatePoint = ({ x, paper, reading }: Position, results: ReadonlyMap<string, TaskResult>): EvaluatedPoint => {
  const ours = reading.read(results.get(taskKey(reading.task))!);
  return { x, paper, ours, error: errorOf(paper, ours) };
};

const errorOf = (paper: PaperValue | null, ours: Value): number | null =>
  typeof paper === 'number' && paper !== 0 && ours.kind === 'value' ? (ours.value - paper) / paper : null;

/** Whether a run fits: what the paper says and what we say; null where the paper has no such series. */
export const fitAgrees = ({ paper, ours }: EvaluatedPoint): boolean | null =>
  paper === null ? null : (paper === 'OOM') === (ours.kind === 'outOfMemory');
