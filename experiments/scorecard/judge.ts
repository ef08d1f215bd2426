import type { Target } from './data-set.ts';
import { relativeError, type Point } from './errors.ts';

/** Whether a target is met, and the figure that decides it. */
export interface Verdict {
  /** The target in words, e.g. `mean error below 8.37 %`. */
  readonly target: string;
  readonly reached: string;
  readonly passed: boolean;
}

/** A point with the input it was predicted from. */
export interface JudgedPoint<Input> extends Point {
  readonly input: Input;
}

/** Holds the points of the test rows against a target. */
export const judge = <Input>(target: Target<Input>, points: readonly JudgedPoint<Input>[], unit: string): Verdict => {
  switch (target.kind) {
    case 'meanError': {
      const mean = points.reduce((sum, point) => sum + Math.abs(relativeError(point)), 0) / points.length;
      return { target: `mean error below ${percent(target.below)}`, reached: percent(mean), passed: mean < target.below };
    }
    case 'worstError': {
      const worst = Math.max(...points.map((point) => Math.abs(relativeError(point))));
      return { target: `each within ${percent(target.atMost)}`, reached: percent(worst), passed: worst <= target.atMost };
    }
    case 'worstDifference': {
      const worst = Math.max(...points.map(({ measured, predicted }) => Math.abs(predicted - measured)));
      return { target: `each within ${figure(target.atMost, unit)}`, reached: figure(worst, unit), passed: worst <= target.atMost };
    }
    case 'decimals': {
      const equal = points.filter(({ measured, predicted }) => predicted.toFixed(target.places) === measured.toFixed(target.places));
      return ofAll(`equal to ${target.places} decimals`, equal.length, points.length);
    }
    case 'order': {
      const pairs = pairsToOrder(points, target.group);
      const kept = pairs.filter(([a, b]) => (a.measured - b.measured) * (a.predicted - b.predicted) > 0);
      return ofAll('order kept', kept.length, pairs.length);
    }
  }
};

const ofAll = (target: string, count: number, all: number): Verdict => ({ target, reached: `${count} of ${all}`, passed: count === all });

const pairsToOrder = <Input>(points: readonly JudgedPoint<Input>[], group: (input: Input) => string) =>
  points.flatMap((a, index) =>
    points
      .slice(index + 1)
      .filter((b) => group(a.input) === group(b.input) && a.measured !== b.measured)
      .map((b) => [a, b] as const),
  );

const figure = (value: number, unit: string): string => `${Number(value.toPrecision(3))}${unit === '' ? '' : ` ${unit}`}`;

export const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
