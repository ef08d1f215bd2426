import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import type { Job } from '../../core/job.ts';
import { firstComeFirstServed } from '../../core/scheduler/policy.ts';
import { evaluateLaw, fitLaw } from '../../core/scheduler/memory-law.ts';
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
 * after the other; the law is fitted on some of the sizes and predicts the others. Half of the jobs have rows of one
 * length, the others of two. Beside the scheduler's model, in which law and ledger count together, stands its law
 * alone.
 */

const ROWS = [1, 2, 3, 4, 6, 8];
/** Words of rows in turn. */
const WORDS = [[8], [24], [48], [80], [110], [8, 24], [8, 48], [24, 80], [48, 110], [8, 110]];
/** Pieces that mini-batches are cut into. */
const MICROBATCHES = [1, 3];
/** Sizes the law is fitted on, and the error that is aimed at. */
const FITS = [
  { points: 3, target: 0.01 },
  { points: 15, target: 0.0025 },
];
const DRAWS = 100;

const jobOf = (template: Job, rows: number, words: string, file: string): LiveJob => ({
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
const measure = async (folder: string, microbatches: number): Promise<readonly MemoryObservation[]> => {
  const { experiment } = await openDemo();
  if (experiment.modelSource.kind === 'preset') throw new Error('the demo has a model folder');
  const jobs = WORDS.flatMap((words) => {
    const name = words.join('-');
    const file = join(folder, `${name}.jsonl`);
    const lines = words.map((count) => `${JSON.stringify({ text: Array.from({ length: count }, (_, word) => `${word % 10}`).join(' ') })}\n`);
    writeFileSync(file, lines.join('').repeat(8 / lines.length));
    return ROWS.map((rows) => jobOf(experiment.jobs[0]!, rows, name, file));
  });
  const ran = await runArrivals(
    {
      ...livePipeline(experiment),
      model: experiment.model, modelFolder: experiment.modelSource.path, backend: 'wasm',
      scheduler: { policy: firstComeFirstServed, slots: 1 }, microbatches, checkpoint: { every: 100, keep: 1 },
      folder: join(folder, 'run'), ranks: 'tasks', onEvent: () => undefined,
    },
    jobs,
  )();
  if (E.isLeft(ran)) throw new Error(formatExecError(ran.left));
  const learnt = await readLearnt(join(folder, 'run'));
  if (E.isLeft(learnt)) throw new Error(formatExecError(learnt.left));
  return Object.values(learnt.right.memory).flat();
};

/** Predicts what a size holds on each device. */
type Predict = (observation: MemoryObservation) => readonly number[];
type Fit = (seen: readonly MemoryObservation[]) => Predict;

const KIND = 'kind';

const byModel: Fit = (seen) => {
  const model = createMemoryModel({ [KIND]: [...seen] });
  return ({ heldBytes: _, ...question }) => model.estimate({ kind: KIND, ...question }).map(({ bytes }) => bytes);
};

const upperByModel: Fit = (seen) => {
  const model = createMemoryModel({ [KIND]: [...seen] });
  return ({ heldBytes: _, ...question }) => model.upperBytes({ kind: KIND, ...question });
};

const byLaw: Fit = (seen) => {
  const kept = ({ heldBytes, passBytes }: MemoryObservation, device: number): number => heldBytes[device]! - passBytes![device]!;
  const laws = seen[0]!.heldBytes.map((_, device) => fitLaw(seen.map(({ sizes }) => sizes[device]!), seen.map((each) => kept(each, device))));
  return ({ sizes, passBytes }) => laws.map((law, device) => evaluateLaw(law, sizes[device]!) + passBytes![device]!);
};

/** Relative errors of predictions for the sizes that a fit on `points` others has not seen. */
const errors = (observations: readonly MemoryObservation[], points: number, fit: Fit): readonly number[] => {
  // Draws are spread by a step that has no common divisor with the number of sizes.
  return Array.from({ length: DRAWS }, (_, draw) => draw).flatMap((draw) => {
    const order = [...observations.keys()].sort((a, b) => ((a * 7919 + draw * 104729) % 1009) - ((b * 7919 + draw * 104729) % 1009));
    const seen = order.slice(0, points).map((index) => observations[index]!);
    const predict = fit(seen);
    return order.slice(points).flatMap((index) => {
      const observation = observations[index]!;
      return predict(observation).map((bytes, device) => bytes / observation.heldBytes[device]! - 1);
    });
  });
};

const absolute = (values: readonly number[]): readonly number[] => values.map(Math.abs);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const percent = (share: number): string => `${(100 * share).toFixed(3)} %`;

const printFits = (observations: readonly MemoryObservation[], microbatches: number): void => {
  const ledger = observations.flatMap(({ heldBytes, ledgerBytes }) => heldBytes.map((bytes, device) => Math.abs(ledgerBytes[device]! / bytes - 1)));
  const pieces = microbatches === 1 ? 'whole mini-batches' : `mini-batches in up to ${microbatches} pieces`;
  console.log(`${observations.length} sizes of ${pieces}, measured in a live run on the demo model; errors on sizes that the fit has not seen, ${DRAWS} draws`);
  const row = (name: string, found: readonly number[], target = ''): string[] => [name, percent(mean(found)), percent(Math.max(...found)), target];
  console.log(
    formatTable([
      ['', 'mean error', 'largest', 'target'],
      row('ledger, nothing measured', ledger),
      ...FITS.map(({ points, target }) => row(`model from ${points} sizes`, absolute(errors(observations, points, byModel)), percent(target))),
      ...FITS.map(({ points }) => row(`law alone from ${points} sizes`, absolute(errors(observations, points, byLaw)))),
    ]),
  );
  for (const { points } of FITS) {
    const uppers = errors(observations, points, upperByModel);
    console.log(`admission from ${points} sizes: ${percent(mean(uppers))} above what is held on average, below it in ${uppers.filter((each) => each < 0).length} of ${uppers.length}`);
  }
};

export const benchMemoryFit = async (): Promise<void> => {
  for (const microbatches of MICROBATCHES) {
    const folder = mkdtempSync(join(tmpdir(), 'mlora-bench-'));
    try {
      printFits(await measure(folder, microbatches), microbatches);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
};
