import { describe, expect, test } from 'vitest';
import type { EvaluatedFigure } from '../../../experiments/reproduction/evaluate.ts';
import type { Figure } from '../../../experiments/reproduction/figure.ts';
import { FIGURES } from '../../../experiments/reproduction/figures.ts';
import { reproduce } from '../../../experiments/reproduction/reproduce.ts';
import { runTasks } from '../../../experiments/reproduction/run-tasks.ts';
import type { Task } from '../../../experiments/reproduction/task.ts';

const FIGURE_9 = FIGURES.find(({ number }) => number === 9)!;
const FOUR_GPUS: Figure = { ...FIGURE_9, panels: FIGURE_9.panels.filter(({ id }) => id === 'GPUs=4') };

describe('reproducing figures', () => {
  test('computes a task that several figures need once, and reports progress from 0 to all', async () => {
    const progress: string[] = [];
    const complete: EvaluatedFigure[] = [];
    await reproduce([FOUR_GPUS, { ...FOUR_GPUS, title: 'again' }], {
      workers: 0,
      onProgress: (done, all) => progress.push(`${done}/${all}`),
      onFigure: (figure) => complete.push(figure),
    });
    // 16 cells, staggered and greedy.
    expect(progress).toEqual(Array.from({ length: 33 }, (_, done) => `${done}/32`));
    expect(complete.length).toBeGreaterThan(0);
  });

  test('an interruption returns what is complete and starts nothing more', async () => {
    const abort = new AbortController();
    const complete = await reproduce([FOUR_GPUS], {
      workers: 0,
      signal: abort.signal,
      onProgress: (done) => (done === 3 ? abort.abort() : undefined),
      onFigure: () => undefined,
    });
    expect(complete).toEqual([]);
  });

  test('a task that fails ends the whole run with its reason', async () => {
    const broken = { kind: 'simulate', experiment: { defaults: { iterations: 1 } } } as unknown as Task;
    await expect(runTasks([broken], { workers: 0, onResult: () => undefined })).rejects.toThrow('model');
  });
});
