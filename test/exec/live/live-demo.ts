import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { afterAll } from 'vitest';
import type { FileData, Job } from '../../../core/job.ts';
import { preemptivePriority } from '../../../core/scheduler/policy.ts';
import { readPeftFolder } from '../../../exec/adapter/peft-folder.ts';
import { formatExecError } from '../../../exec/exec-error.ts';
import type { LiveEvent, LiveFinish, LiveJob, LiveRun, LiveRunOptions } from '../../../exec/live/live-run.ts';
import { startLiveRun } from '../../../exec/live/start-live-run.ts';
import type { NamedArray } from '../../../exec/stage.ts';
import { constantCost } from '../../../sim/constant-cost.ts';
import { demoJob, demoModel, MODEL_FOLDER } from '../demo.ts';
import { evenStages } from '../run/demo-run.ts';

/** A live run on the shipped model, what it has told so far, and how to wait for it. */
export interface LiveDemo {
  readonly run: LiveRun;
  readonly folder: string;
  readonly events: readonly LiveEvent[];
  /** The first event of that kind, and of that job and iteration where they are given, told already or as soon as it is. */
  readonly until: <K extends LiveEvent['kind']>(kind: K, wanted?: Partial<Extract<LiveEvent, { kind: K }>>) => Promise<Extract<LiveEvent, { kind: K }>>;
  /** Settles when a condition holds after some event, or holds already. */
  readonly when: (holds: () => boolean) => Promise<void>;
  readonly submit: (...jobs: readonly LiveJob[]) => Promise<void>;
}

const DATA = mkdtempSync(join(tmpdir(), 'mlora-test-'));
afterAll(() => rmSync(DATA, { recursive: true, force: true }));

/** The first rows of a file, which show as much as all of them and are read sooner. */
const firstRows = (file: string, rows: number): string => {
  const path = join(DATA, basename(file));
  writeFileSync(path, readFileSync(file, 'utf8').split('\n').slice(0, rows).join('\n'));
  return path;
};

/** A job on a few rows of the shipped data. */
export const liveJob = (id: string, name: Parameters<typeof demoJob>[0], changes: Partial<Job> = {}, others: Partial<LiveJob> = {}): LiveJob => {
  const job = demoJob(name, { seed: 1, ...changes });
  const data = job.data as FileData;
  return { id, user: 'somebody', job: { ...job, data: { ...data, train: firstRows(data.train, 24), heldout: firstRows(data.heldout!, 6) } }, ...others };
};

export const iterations = (count: number) => ({ duration: { kind: 'iterations', iterations: count } }) as const;

const COST = constantCost({ forwardNs: 1000, backwardNs: 1200, stepNs: 100, adapterBytes: 1, activationBytes: 1 });

export const liveOptions = (folder: string, deviceCount = 2, changes: Partial<LiveRunOptions> = {}): LiveRunOptions => ({
  model: demoModel(),
  modelFolder: MODEL_FOLDER,
  backend: 'wasm',
  devices: Array.from({ length: deviceCount }, (_, device) => `d${device}`),
  stages: evenStages(deviceCount),
  capacityBytes: Array.from({ length: deviceCount }, () => 2 ** 33),
  costs: { costOf: () => COST, transferNs: () => 1 },
  scheduler: { policy: preemptivePriority, slots: 4 },
  microbatches: 2,
  checkpoint: { every: 2, keep: 2 },
  folder,
  ranks: 'tasks',
  onEvent: () => undefined,
  ...changes,
});

type Waiter = (event: LiveEvent) => void;

export const startDemo = async (options: LiveRunOptions): Promise<LiveDemo> => {
  const events: LiveEvent[] = [];
  const waiters = new Set<Waiter>();
  const onEvent = (event: LiveEvent): void => {
    events.push(event);
    options.onEvent(event);
    for (const waiter of [...waiters]) waiter(event);
  };
  const started = await startLiveRun({ ...options, onEvent })();
  if (E.isLeft(started)) throw new Error(formatExecError(started.left));
  const run = started.right;
  return {
    run,
    folder: options.folder,
    events,
    until: (kind, wanted = {}) =>
      new Promise((resolve, reject) => {
        const waiter: Waiter = (event) => {
          const matches = event.kind === kind && Object.entries(wanted).every(([key, value]) => event[key as keyof LiveEvent] === value);
          if (matches) resolve(event as never);
          else if (event.kind === 'ended') reject(new Error(formatExecError(event.error)));
          else return;
          waiters.delete(waiter);
        };
        waiters.add(waiter);
        for (const event of events) waiter(event);
      }),
    when: (holds) =>
      new Promise((resolve) => {
        const waiter: Waiter = () => {
          if (!holds()) return;
          waiters.delete(waiter);
          resolve();
        };
        waiters.add(waiter);
        waiter(events.at(-1)!);
      }),
    submit: async (...jobs) => {
      for (const job of jobs) {
        const submitted = await run.submit(job)();
        if (E.isLeft(submitted)) throw new Error(JSON.stringify(submitted.left));
      }
    },
  };
};

export const adapterOf = async ({ adapterFolder }: Pick<LiveFinish, 'adapterFolder'>): Promise<readonly NamedArray[]> => {
  const adapter = await readPeftFolder(adapterFolder!, demoModel());
  if (E.isLeft(adapter)) throw new Error(JSON.stringify(adapter.left));
  return adapter.right.weights;
};

/** Runs `use` with a folder that is removed afterwards. */
export const withFolder = async <T>(use: (folder: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const alone = new Map<string, Promise<readonly NamedArray[]>>();
/** One run after the other: all ranks of this process share its backend. */
let training: Promise<unknown> = Promise.resolve();

/** The adapter that a job gets when it has the ranks to itself; trained once. */
export const adapterAlone = (job: LiveJob): Promise<readonly NamedArray[]> => {
  const key = JSON.stringify(job.job);
  const known = alone.get(key);
  if (known !== undefined) return known;
  const train = () => withFolder(async (folder) => {
    const demo = await startDemo(liveOptions(folder, 1));
    await demo.submit(job);
    const adapter = await adapterOf(await demo.until('finished', { job: job.id }));
    await demo.run.close();
    return adapter;
  });
  const trained = training.then(train);
  training = trained;
  alone.set(key, trained);
  return trained;
};
