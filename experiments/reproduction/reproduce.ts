import { evaluateFigure, tasksOf, type EvaluatedFigure } from './evaluate.ts';
import type { Figure } from './figure.ts';
import { runTasks } from './run-tasks.ts';
import { taskKey, type TaskResult } from './task.ts';

export interface ReproduceOptions {
  /** Worker threads; 0 computes in this one. */
  readonly workers: number;
  /** Called as tasks are done, also with 0 of them. */
  readonly onProgress: (done: number, all: number) => void;
  /** Called as soon as a figure is complete. */
  readonly onFigure: (figure: EvaluatedFigure) => void;
  readonly signal?: AbortSignal;
}

/** Computes figures; a task that several need is computed once. Those complete when `signal` aborts are returned. */
export const reproduce = async (figures: readonly Figure[], options: ReproduceOptions): Promise<EvaluatedFigure[]> => {
  const needs = figures.map((figure) => ({ figure, keys: tasksOf(figure).map(taskKey) }));
  const tasks = [...new Map(figures.flatMap(tasksOf).map((task) => [taskKey(task), task])).values()];
  const results = new Map<string, TaskResult>();
  const complete = new Map<number, EvaluatedFigure>();
  options.onProgress(0, tasks.length);
  await runTasks(tasks, {
    ...options,
    onResult: (task, result) => {
      results.set(taskKey(task), result);
      options.onProgress(results.size, tasks.length);
      for (const { figure, keys } of needs) {
        if (complete.has(figure.number) || !keys.every((key) => results.has(key))) continue;
        const evaluated = evaluateFigure(figure, results);
        complete.set(figure.number, evaluated);
        options.onFigure(evaluated);
      }
    },
  });
  return figures.flatMap(({ number }) => complete.get(number) ?? []);
};
