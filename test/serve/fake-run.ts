import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import type { LiveEvent, LiveJob, LiveRefusal, LiveRun, LiveRunOptions, StartLiveRun } from '../../exec/live/live-run.ts';
import type { Outcome } from '../../core/scheduler/job.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { emptyTrace } from '../viz/traces.ts';

/** What a run would find on its disk: it outlives the runs of a test. */
export interface FakeDisk {
  readonly outcomes: Map<string, Outcome>;
  readonly checkpoints: Map<string, number>;
}

export const emptyDisk = (): FakeDisk => ({ outcomes: new Map(), checkpoints: new Map() });

/** A run in which nothing happens unless the test says so. */
export interface FakeRun {
  readonly start: StartLiveRun;
  /** Jobs in the order in which they were handed over. */
  readonly submitted: LiveJob[];
  readonly cancelled: string[];
  readonly priorities: (readonly [id: string, priority: number])[];
  /** What to say to the next jobs; null takes them. */
  refuse: (job: LiveJob) => LiveRefusal | null;
  /** What the devices did lately. */
  trace: Trace;
  readonly tell: (event: LiveEvent) => void;
  /** Makes iterations of a job, with losses 1/n. */
  readonly iterate: (id: string, upTo: number) => void;
  readonly finish: (id: string, outcome?: Outcome) => Promise<void>;
}

export const ITERATIONS = 10;

export const createFakeRun = (disk: FakeDisk = emptyDisk()): FakeRun => {
  let options: LiveRunOptions | null = null;
  const queue = new Map<string, { priority: number; iteration: number }>();
  const told = (event: LiveEvent): void => options!.onEvent(event);

  const submit = async (job: LiveJob): Promise<E.Either<LiveRefusal, void>> => {
    await Promise.resolve();
    fake.submitted.push(job);
    const refusal = fake.refuse(job);
    if (refusal !== null) return E.left(refusal);
    const { id } = job;
    const iteration = disk.checkpoints.get(id) ?? 0;
    told({ kind: 'queued', job: id, iteration, iterations: ITERATIONS });
    const outcome = disk.outcomes.get(id);
    if (outcome === undefined) queue.set(id, { priority: job.job.priority, iteration });
    else told({ kind: 'finished', job: id, outcome, iteration: ITERATIONS, made: ITERATIONS, heldoutLoss: null, adapterFolder: null, error: null });
    return E.right(undefined);
  };

  const run: LiveRun = {
    submit: (job) => () => submit(job),
    cancel: (id) => {
      fake.cancelled.push(id);
      return queue.has(id);
    },
    changePriority: (id, priority) => {
      fake.priorities.push([id, priority]);
      return queue.has(id);
    },
    jobs: () => [...queue].map(([id, { priority, iteration }]) => ({ id, status: 'waiting', priority, iteration, iterations: ITERATIONS, checkpoint: 0, heldBytes: null })),
    trace: () => fake.trace,
    close: () => Promise.resolve(),
  };

  const fake: FakeRun = {
    start: (given) => () => {
      options = given;
      told({ kind: 'ready', backend: 'cpu', processIds: [] });
      return Promise.resolve(E.right(run));
    },
    submitted: [],
    cancelled: [],
    priorities: [],
    refuse: () => null,
    trace: emptyTrace(),
    tell: told,
    iterate: (id, upTo) => {
      const job = queue.get(id)!;
      while (job.iteration < upTo) told({ kind: 'iteration', job: id, iteration: ++job.iteration, loss: 1 / job.iteration });
    },
    finish: async (id, outcome = 'completed') => {
      const folder = join(options!.folder, 'jobs', id, 'adapter');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'adapter_config.json'), '{"r":4}');
      await writeFile(join(folder, 'adapter_model.safetensors'), 'weights');
      disk.outcomes.set(id, outcome);
      queue.delete(id);
      told({ kind: 'finished', job: id, outcome, iteration: ITERATIONS, made: ITERATIONS, heldoutLoss: null, adapterFolder: folder, error: outcome === 'failed' ? 'it diverged' : null });
    },
  };
  return fake;
};
