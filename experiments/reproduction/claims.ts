import type { EvaluatedFigure, EvaluatedPanel, EvaluatedPoint, EvaluatedSeries } from './evaluate.ts';

/** How much less time mLoRA needs than another system at its most adapters: section 4's claims, from Figure 7. */
export interface Claim {
  readonly panel: string;
  readonly against: string;
  /** 1 − mLoRA ÷ other. */
  readonly paper: number;
  readonly ours: number;
}

const numbers = ({ paper, ours }: EvaluatedPoint): readonly [number, number] | null =>
  typeof paper === 'number' && ours.kind === 'value' ? [paper, ours.value] : null;

const lastOf = (series: EvaluatedSeries | undefined): readonly [number, number] | null => {
  const last = series?.points.at(-1);
  return last === undefined ? null : numbers(last);
};

const claimsOf = ({ panel, series }: EvaluatedPanel): Claim[] => {
  const mlora = lastOf(series.find(({ series: { name } }) => name === 'mLoRA'));
  if (mlora === null) return [];
  return series.flatMap((other): Claim[] => {
    const values = other.series.name === 'mLoRA' || other.series.paper === null ? null : lastOf(other);
    if (values === null) return [];
    return [{ panel: panel.title, against: other.series.name, paper: 1 - mlora[0] / values[0], ours: 1 - mlora[1] / values[1] }];
  });
};

/** The claims of every panel of Figure 7 in which both the paper and we have numbers. */
export const completionClaims = (figures: readonly EvaluatedFigure[]): Claim[] =>
  figures.filter(({ figure }) => figure.number === 7).flatMap(({ panels }) => panels.flatMap(claimsOf));
