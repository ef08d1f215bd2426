import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import type { Job } from '../../core/job.ts';
import { firstComeFirstServed } from '../../core/scheduler/policy.ts';
import { createMemoryModel, type MemoryObservation } from '../../core/scheduler/memory-model.ts';
import { formatTable } from '../../core/text-table.ts';
import { nanoseconds } from '../../core/units.ts';
import { formatExecError } from '../../exec/exec-error.ts';
import { runArrivals } from '../../exec/live/run-arrivals.ts';
import type { LiveJob } from '../../exec/live/live-run.ts';
import { readLearnt } from '../../exec/live/scheduler-file.ts';
import { livePipeline } from '../../sim/live-pipeline.ts';
import { openDemo } from './demo-run.ts';

/*
 * The memory law on what live runs measured: jobs of one kind with mini-batches of many sizes run on the demo model, one
 * after the other; the law is fitted on some of the sizes and predicts the others.
 */

const ROWS = [1, 2, 3, 4, 6, 8];
const WORDS = [8, 24, 48, 80, 110];
/** Sizes the law is fitted on, and the error that is aimed at. */
const FITS = [
  { points: 3, target: 0.01 },
  { points: 15, target: 0.0025 },
];
const DRAWS = 200;

const jobOf = (template: Job, rows: number, words: number, file: string): LiveJob => ({
  id: `rows-${rows}-words-${words}`,
  user: 'bench',
  job: {
    ...template,
    data: { kind: 'files', train: file, heldout: null, split: 0, loss: 'all', order: 'shuffled', format: 'template', prompt: '{{ text }}', completion: '.', maximumLength: 512 },
    batchSize: rows,
    duration: { kind: 'iterations', iterations: 2 },
    arrivalNs: nanoseconds(0),
  },
});

/** What a live run learnt of one kind of job. */
const measure = async (folder: string): Promise<readonly MemoryObservation[]> => {
  const { experiment } = await openDemo();
  if (experiment.modelSource.kind === 'preset') throw new Error('the demo has a model folder');
  const jobs = WORDS.flatMap((words) => {
    const file = join(folder, `${words}.jsonl`);
    writeFileSync(file, `${JSON.stringify({ text: Array.from({ length: words }, (_, word) => `${word % 10}`).join(' ') })}\n`.repeat(8));
    return ROWS.map((rows) => jobOf(experiment.jobs[0]!, rows, words, file));
  });
  const ran = await runArrivals(
    {
      ...livePipeline(experiment),
      model: experiment.model, modelFolder: experiment.modelSource.path, backend: 'wasm',
      scheduler: { policy: firstComeFirstServed, slots: 1 }, microbatches: 1, checkpoint: { every: 100, keep: 1 },
      folder: join(folder, 'run'), ranks: 'tasks', onEvent: () => undefined,
    },
    jobs,
  )();
  if (E.isLeft(ran)) throw new Error(formatExecError(ran.left));
  const learnt = await readLearnt(join(folder, 'run'));
  if (E.isLeft(learnt)) throw new Error(formatExecError(learnt.left));
  return Object.values(learnt.right.memory).flat();
};

/** Relative errors of predictions for the sizes that a fit on `points` others has not seen. */
const errors = (observations: readonly MemoryObservation[], points: number): readonly number[] => {
  const kind = 'kind';
  // Draws are spread by a step that has no common divisor with the number of sizes.
  return Array.from({ length: DRAWS }, (_, draw) => draw).flatMap((draw) => {
    const order = [...observations.keys()].sort((a, b) => ((a * 7919 + draw * 104729) % 1009) - ((b * 7919 + draw * 104729) % 1009));
    const seen = order.slice(0, points).map((index) => observations[index]!);
    const model = createMemoryModel({ [kind]: [...seen] });
    return order.slice(points).flatMap((index) => {
      const { heldBytes, size, ledgerBytes } = observations[index]!;
      return model.estimate({ kind, size, ledgerBytes }).map(({ bytes }, device) => Math.abs(bytes / heldBytes[device]! - 1));
    });
  });
};

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const percent = (share: number): string => `${(100 * share).toFixed(3)} %`;

export const benchMemoryFit = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'mlora-bench-'));
  try {
    const observations = await measure(folder);
    const ledger = observations.flatMap(({ heldBytes, ledgerBytes }) => heldBytes.map((bytes, device) => Math.abs(ledgerBytes[device]! / bytes - 1)));
    console.log(`${observations.length} sizes measured in a live run on the demo model; errors on sizes that the fit has not seen, ${DRAWS} draws`);
    console.log(
      formatTable([
        ['', 'mean error', 'largest', 'target'],
        ['ledger, nothing measured', percent(mean(ledger)), percent(Math.max(...ledger)), ''],
        ...FITS.map(({ points, target }) => {
          const found = errors(observations, points);
          return [`law from ${points} sizes`, percent(mean(found)), percent(Math.max(...found)), percent(target)];
        }),
      ]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
