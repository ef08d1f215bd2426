import type { Quantity } from '../../viz/chart/axis.ts';
import type { Task, TaskKind, TaskOf, TaskResult, TaskResults } from './task.ts';

/** A figure of the paper as something to compute. Every point is a task and a way to read its result. */
export interface Figure {
  readonly number: number;
  readonly title: string;
  readonly question: string;
  readonly panels: readonly Panel[];
  /** Panels beside each other, as in the paper. */
  readonly columns: number;
  /** Constants that our values rest on, and the rows they were fitted on. */
  readonly fitted: readonly string[];
  /** What the paper does not say and how it was settled here. */
  readonly leftOpen: readonly string[];
}

export interface Panel {
  /** As the paper's data names it. */
  readonly id: string;
  readonly title: string;
  /** What was run, in words. */
  readonly setting: string;
  readonly layout: 'lines' | 'bars' | 'heatMap';
  readonly x: Quantity;
  readonly y: Quantity;
  readonly series: readonly Series[];
}

export interface Series {
  readonly name: string;
  /** Name of the paper's series that it is compared with; null where the paper has none. */
  readonly paper: string | null;
  /** Positions; those of the paper's series where that exists. */
  readonly at?: readonly (number | string)[];
  readonly point: (x: number | string) => Reading;
}

/** A value we have computed, or why there is none. */
export type Value = { readonly kind: 'value'; readonly value: number } | { readonly kind: 'outOfMemory'; readonly where: string };

/** A task and how its result becomes a value. */
export interface Reading {
  readonly task: Task;
  readonly read: (result: TaskResult) => Value;
}

/** A reading whose `read` knows what its task gives. */
export const reading = <Kind extends TaskKind>(task: TaskOf<Kind>, read: (result: TaskResults[Kind]) => Value): Reading => ({
  task,
  read: (result) => read(result as TaskResults[Kind]),
});

export const valueOf = (value: number): Value => ({ kind: 'value', value });
