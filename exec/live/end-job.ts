import { rm } from 'node:fs/promises';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import type { Outcome } from '../../core/scheduler/job.ts';
import { writePeftFolder } from '../adapter/peft-folder.ts';
import { ExecFailure } from '../exec-error.ts';
import { readCheckpoint, writeCheckpoint, type CheckpointIdentity } from '../run/job-checkpoint.ts';
import type { JobProgress } from '../run/job-records.ts';
import type { AdapterState } from '../stage.ts';
import { writeOutcome } from './job-folder.ts';
import { tellOf, write, type Live, type LiveEntry } from './live-state.ts';
import { writeLearnt } from './scheduler-file.ts';

/** Rejects with an ExecFailure that names the folder. */
const orWriteFailed = async (folder: string, task: () => Promise<void>): Promise<void> => {
  try {
    await task();
  } catch (error) {
    throw error instanceof ExecFailure ? error : new ExecFailure({ kind: 'writeFailed', folder, reason: messageOf(error) });
  }
};

/** Everything that was told of the job so far is kept by whoever listens, before that is written from which it would go on. */
const keepEvents = async (live: Live, entry: LiveEntry): Promise<void> => {
  await entry.telling;
  await live.telling;
  live.options.beforeWriting?.();
};

/**
 * Writes the state that a job would go on from, with its losses up to there, and calls back when it is on disk. One that
 * still waits to be written gives way to a later one, unless early exit may ask for it.
 */
export const writeState = (live: Live, entry: LiveEntry, state: AdapterState, onWritten: (iteration: number) => void): void => {
  const { patience, sweep } = entry.live;
  const isWaiting = entry.unwritten.length > 0;
  if (isWaiting && patience === undefined && sweep === undefined) entry.unwritten = [state];
  else entry.unwritten.push(state);
  if (isWaiting && entry.unwritten.length === 1) return;
  const written = write(live, async () => {
    const next = entry.unwritten.shift()!;
    await keepEvents(live, entry);
    await orWriteFailed(entry.folder.checkpoints, () => writeCheckpoint(entry.folder.checkpoints, progressAt(entry, next), identityOf(live, entry)));
    onWritten(next.iteration);
  });
  written.catch(() => undefined);
};

const progressAt = ({ losses, evaluations, heldoutBefore }: LiveEntry, state: AdapterState): JobProgress => ({
  state,
  losses: losses.slice(0, state.iteration),
  // The evaluation that belongs to the state itself is a part of the next iteration.
  evaluations: evaluations.filter(({ iteration }) => iteration < state.iteration),
  heldoutBefore,
});

const identityOf = ({ options }: Live, { fingerprint, evaluatedAt, stoppedAt }: LiveEntry): CheckpointIdentity => {
  const pinned = stoppedAt ?? evaluatedAt;
  return { fingerprint, keep: options.checkpoint.keep, ...(pinned === null ? {} : { pinned }) };
};

/** Iterations of the state whose adapter a job that ends like this is to have; null: it has none. */
const adapterIteration = (entry: LiveEntry, outcome: Outcome): number | null => {
  if (outcome === 'completed') return entry.spec.iterations;
  return outcome === 'stopped' ? (entry.stoppedAt ?? entry.evaluatedAt) : null;
};

const heldoutLossAt = ({ evaluations }: LiveEntry, iteration: number | null): number | null =>
  evaluations.find((evaluation) => evaluation.iteration === iteration)?.loss ?? null;

const stateAt = async ({ states, folder, fingerprint }: LiveEntry, iteration: number): Promise<AdapterState | null> => {
  const known = states.get(iteration);
  if (known !== undefined) return known;
  const read = await readCheckpoint(folder.checkpoints, iteration, fingerprint);
  return E.isRight(read) ? read.right.state : null;
};

const isWeight = ({ name }: { readonly name: string }): boolean => !name.startsWith('optimizer.');

const writeAdapter = async (live: Live, entry: LiveEntry, { tensors }: AdapterState): Promise<void> => {
  const folder = entry.folder.adapter;
  const weights = tensors.filter(isWeight);
  const written = await writePeftFolder(folder, { adapter: entry.live.job.adapter, baseModel: live.options.model.name, weights });
  if (E.isLeft(written)) throw new ExecFailure({ kind: 'writeFailed', folder, reason: written.left[0].message });
};

const reasonOf = ({ failure, live: { id } }: LiveEntry, outcome: Outcome): string | null => {
  if (outcome === 'failed') return failure ?? `job ${id} failed`;
  return outcome === 'neverFits' ? 'it was measured to hold more than a device has for jobs' : null;
};

/** Writes the end of a job, its adapter first and its outcome last, then tells it. */
export const endJob = (live: Live, entry: LiveEntry, outcome: Outcome, iteration: number): void => {
  const { id } = entry.live;
  const { adapter, checkpoints } = entry.folder;
  const kept = adapterIteration(entry, outcome);
  const end = { outcome, iteration: kept ?? iteration, made: iteration, heldoutLoss: heldoutLossAt(entry, kept), error: reasonOf(entry, outcome) };
  const learnt = live.scheduler.state();
  let hasAdapter = false;
  const written = write(live, () =>
    orWriteFailed(adapter, async () => {
      await keepEvents(live, entry);
      const state = kept === null ? null : await stateAt(entry, kept);
      if (state !== null) await writeAdapter(live, entry, state);
      hasAdapter = state !== null;
      await writeLearnt(live.options.folder, learnt);
      await writeOutcome(entry.folder, { ...end, hasAdapter });
    }),
  );
  void written
    .then(() => {
      live.entries.delete(id);
      return tellOf(live, entry, { kind: 'finished', job: id, ...end, adapterFolder: hasAdapter ? adapter : null });
    })
    .then(() => rm(checkpoints, { recursive: true, force: true }))
    .catch(() => undefined);
};
