import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import { makePolicy } from '../../core/scheduler/policy.ts';
import { formatTable } from '../../core/text-table.ts';
import { summarize } from '../../core/trace/summary.ts';
import { formatExecError, formatFile, type FileProblems } from '../../exec/exec-error.ts';
import type { LiveJob } from '../../exec/live/live-run.ts';
import { runArrivals } from '../../exec/live/run-arrivals.ts';
import { openExperiment, type OpenExperiment } from '../../exec/run/open-experiment.ts';
import { livePipeline } from '../../sim/live-pipeline.ts';
import { bestTrial, trialRows } from '../trials/trials.ts';

/** Shipped files stand beside the compiled code's folder. */
const TRIALS = fileURLToPath(new URL('../../../experiments/trials/trials.yaml', import.meta.url));
const SLOTS = 4;
/** More than the ops of the full grid. */
const TRACE_OPS = 1_000_000;
const TARGET = 0.4;

interface Swept {
  readonly best: string;
  readonly bestLoss: number;
  readonly iterations: number;
  readonly deviceSeconds: number;
  readonly wallSeconds: number;
}

const right = <T>(result: E.Either<string, T>): T => {
  if (E.isLeft(result)) throw new Error(result.left);
  return result.right;
};

const train = async ({ experiment }: OpenExperiment, jobs: readonly LiveJob[]): Promise<Swept> => {
  if (experiment.modelSource.kind === 'preset') throw new Error('the trials have a model folder');
  const folder = await mkdtemp(join(tmpdir(), 'mlora-bench-'));
  let startMs = 0;
  try {
    const run = await runArrivals(
      {
        ...livePipeline(experiment),
        model: experiment.model,
        modelFolder: experiment.modelSource.path,
        backend: 'wasm',
        scheduler: { policy: makePolicy('fcfs', { quantumNs: 1, levelNs: 1 }), slots: SLOTS },
        microbatches: experiment.schedule.microbatches,
        checkpoint: experiment.checkpoint,
        folder,
        ranks: 'processes',
        traceOps: TRACE_OPS,
        onEvent: ({ kind }) => (startMs = kind === 'ready' ? performance.now() : startMs),
      },
      jobs,
    )();
    const wallSeconds = (performance.now() - startMs) / 1000;
    const { trace, ends } = right(E.mapLeft(formatExecError)(run));
    const best = bestTrial(trialRows(experiment.grids[0]!, ends))!;
    return {
      best: best.name,
      bestLoss: best.end.heldoutLoss,
      iterations: ends.reduce((sum, { made }) => sum + made, 0),
      deviceSeconds: summarize(trace).devices.reduce((sum, { busySeconds }) => sum + busySeconds, 0),
      wallSeconds,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** A grid of trials trained for real on the shipped model: all of them to their end and then compared, and by successive halving. */
export const benchHalving = async (): Promise<void> => {
  const open = right(E.mapLeft((files: readonly FileProblems[]) => files.map(formatFile).join('\n'))(await openExperiment(TRIALS)()));
  const { jobs } = open.experiment;
  const full = await train(open, jobs.map(({ halving: _halving, ...job }): LiveJob => ({ id: job.name, user: 'all', job: { ...job, evaluate: null } })));
  const halved = await train(open, jobs.map(({ halving, ...job }): LiveJob => ({ id: job.name, user: 'all', job, sweep: halving! })));
  const cells = ({ best, bestLoss, iterations, deviceSeconds, wallSeconds }: Swept): string[] => [best, bestLoss.toFixed(4), String(iterations), deviceSeconds.toFixed(1), wallSeconds.toFixed(1)];
  console.log(`${jobs.length} trials of ${TRIALS.split('/').slice(-3).join('/')}, ${SLOTS} at once on 2 processes; the full grid is evaluated once, at its end`);
  console.log(formatTable([['', 'best trial', 'held-out loss', 'iterations', 'device s', 'wall s'], ['full grid', ...cells(full)], ['halving', ...cells(halved)]]));
  const share = (pick: (swept: Swept) => number): string => (pick(halved) / pick(full)).toFixed(2);
  console.log(`halving takes ${share(({ deviceSeconds }) => deviceSeconds)} of the device time and ${share(({ wallSeconds }) => wallSeconds)} of the wall time; target at most ${TARGET} of the device time for the best held-out loss`);
};
