import { stringify } from 'csv-stringify/sync';
import type { EvaluatedFigure, EvaluatedPoint } from './evaluate.ts';

const COLUMNS = ['figure', 'panel', 'series', 'x', 'paper', 'ours', 'unit', 'error', 'note'];

/** Figures are rounded so that reruns give equal files. */
export const rounded = (value: number): number => Number(value.toPrecision(6));

const cells = ({ x, paper, ours, error }: EvaluatedPoint) => ({
  x,
  paper: paper ?? '',
  ours: ours.kind === 'value' ? rounded(ours.value) : 'OOM',
  error: error === null ? '' : rounded(error),
  note: ours.kind === 'outOfMemory' ? ours.where : '',
});

/** Every point of a figure: the paper's value, ours and the error. */
export const figureCsv = ({ figure, panels }: EvaluatedFigure): string =>
  stringify(
    panels.flatMap(({ panel, series }) =>
      series.flatMap(({ series: { name }, points }) =>
        points.map((point) => ({ figure: figure.number, panel: panel.title, series: name, unit: panel.y.unit ?? '', ...cells(point) })),
      ),
    ),
    { header: true, columns: COLUMNS },
  );
