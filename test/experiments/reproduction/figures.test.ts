import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { evaluateFigure, tasksOf } from '../../../experiments/reproduction/evaluate.ts';
import { figureCsv } from '../../../experiments/reproduction/figure-csv.ts';
import { figureSvg } from '../../../experiments/reproduction/figure-svg.ts';
import { FIGURES } from '../../../experiments/reproduction/figures.ts';
import { reproduce } from '../../../experiments/reproduction/reproduce.ts';
import { openContent } from '../../../experiments/reproduction/tasks/run-experiment.ts';
import { taskKey, type TaskResult } from '../../../experiments/reproduction/task.ts';

const RESULTS = join(import.meta.dirname, '../../../experiments/reproduction/results');

describe('figures of the paper', () => {
  test('every point belongs to a series of the paper, and every experiment is a valid file', () => {
    for (const figure of FIGURES) {
      for (const task of tasksOf(figure)) {
        if (task.kind === 'simulate' || task.kind === 'operator') expect(openContent(task.experiment).jobs.length, figure.title).toBeGreaterThan(0);
      }
    }
  });

  test('every figure of the evaluation is there, each once', () => {
    expect(FIGURES.map(({ number }) => number)).toEqual([7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
  });

  test.each([9, 10])('the committed Figure %i is what a rerun gives', async (number) => {
    const [evaluated] = await reproduce(
      FIGURES.filter((figure) => figure.number === number),
      { workers: 0, onProgress: () => undefined, onFigure: () => undefined },
    );
    const committed = (ending: string): string => readFileSync(join(RESULTS, `figure-${String(number).padStart(2, '0')}.${ending}`), 'utf8');
    expect(figureCsv(evaluated!)).toBe(committed('csv'));
    expect(figureSvg(evaluated!)).toBe(committed('svg'));
  }, 120_000);

  test('staggered release reaches the closed form in every cell of Figure 9, greedy release does not', async () => {
    const figure = FIGURES.find(({ number }) => number === 9)!;
    const [evaluated] = await reproduce([figure], { workers: 0, onProgress: () => undefined, onFigure: () => undefined });
    const values = (title: string): number[] =>
      evaluated!.panels
        .filter(({ panel }) => panel.title.includes(title))
        .flatMap(({ series }) => series.flatMap(({ points }) => points.map(({ ours }) => (ours.kind === 'value' ? ours.value : NaN))));
    values('staggered').forEach((value, cell) => expect(value).toBeCloseTo(values('closed form')[cell]!, 6));
    expect(Math.max(...values('greedy').map((value, cell) => value - values('closed form')[cell]!))).toBeGreaterThan(0.2);
  }, 120_000);

  test('a run that does not fit has no value, and a missing result is a mistake', () => {
    const figure = FIGURES.find(({ number }) => number === 10)!;
    const outOfMemory: TaskResult = { kind: 'outOfMemory', where: 'device0 lacks 1.0 GB for activations' };
    const results = new Map(tasksOf(figure).map((task) => [taskKey(task), outOfMemory]));
    const { panels } = evaluateFigure(figure, results);
    expect(panels.flatMap(({ series }) => series.flatMap(({ points }) => points.map(({ error }) => error)))).toEqual(Array(12).fill(null));
    expect(() => evaluateFigure(figure, new Map())).toThrow();
  });
});
