import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { messageOf } from '../../core/error-message.ts';
import { problem, type Problems } from '../../core/problem.ts';
import { openSafetensors } from '../checkpoint/safetensors-file.ts';
import { writeFolderAtomically } from '../checkpoint/write-files.ts';
import { writeSafetensors } from '../checkpoint/write-safetensors.ts';
import type { NamedArray } from '../stage.ts';
import type { JobProgress } from './job-records.ts';

/*
 * One checkpoint of one job is a folder `iteration-N`: weights and optimizer vectors as safetensors, the rest as JSON.
 * Data order, dropout masks and learning rates are functions of the job's seed and the iteration, so N is all there is
 * to keep of them.
 */
const STATE_FILE = 'state.safetensors';
const RECORD_FILE = 'checkpoint.json';
const FOLDER_NAME = /^iteration-(\d+)$/;

const recordSchema = z.object({
  version: z.literal(1),
  fingerprint: z.string(),
  iteration: z.number().int().min(1),
  losses: z.array(z.number()),
  evaluations: z.array(z.object({ iteration: z.number().int(), loss: z.number() })).default([]),
  heldoutBefore: z.number().nullable(),
});

/** Iterations of a job's checkpoints, latest first; none where the folder is missing. */
export const listCheckpoints = async (jobFolder: string): Promise<readonly number[]> => {
  const names = await readdir(jobFolder).catch(() => []);
  return names.flatMap((name) => FOLDER_NAME.exec(name)?.[1] ?? []).map(Number).sort((a, b) => b - a);
};

const folderOf = (jobFolder: string, iteration: number): string => join(jobFolder, `iteration-${iteration}`);

export interface CheckpointIdentity {
  readonly fingerprint: string;
  /** Latest checkpoints that stay. */
  readonly keep: number;
  /** Iteration of one that stays however many follow it; absent: none. */
  readonly pinned?: number;
}

/** Writes a checkpoint, whole or not at all, then removes those beyond `keep`. Rejects with the system's error. */
export const writeCheckpoint = async (
  jobFolder: string,
  { state, losses, evaluations, heldoutBefore }: JobProgress,
  { fingerprint, keep, pinned }: CheckpointIdentity,
): Promise<void> => {
  if (state === null) throw new Error('a job that has not begun has no checkpoint');
  const { iteration, tensors } = state;
  await writeFolderAtomically(folderOf(jobFolder, iteration), async (folder) => {
    await writeSafetensors(join(folder, STATE_FILE), tensors);
    const written = { losses: [...losses], evaluations: [...evaluations], heldoutBefore };
    const record: z.output<typeof recordSchema> = { version: 1, fingerprint, iteration, ...written };
    await writeFile(join(folder, RECORD_FILE), JSON.stringify(record), { flush: true });
  });
  for (const old of (await listCheckpoints(jobFolder)).slice(keep)) {
    if (old === pinned) continue;
    await rm(folderOf(jobFolder, old), { recursive: true, force: true });
  }
};

const readRecord = async (path: string): Promise<E.Either<Problems, z.output<typeof recordSchema>>> => {
  try {
    const record = recordSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    return record.success ? E.right(record.data) : E.left([problem('', 'is no checkpoint of this version')]);
  } catch (error) {
    return E.left([problem('', `cannot be read: ${messageOf(error)}`)]);
  }
};

const readTensors = async (path: string): Promise<E.Either<Problems, readonly NamedArray[]>> => {
  const file = await openSafetensors(path);
  if (E.isLeft(file)) return file;
  try {
    const tensors: NamedArray[] = [];
    for (const [name, { shape }] of file.right.entries) {
      const values = await file.right.read(name);
      if (E.isLeft(values)) return values;
      tensors.push({ name, shape, values: values.right });
    }
    return E.right(tensors);
  } finally {
    await file.right.close();
  }
};

/** Reads one checkpoint back. Left: it is broken, or belongs to another job, base or data. */
export const readCheckpoint = async (
  jobFolder: string,
  iteration: number,
  fingerprint: string,
): Promise<E.Either<Problems, JobProgress>> => {
  const folder = folderOf(jobFolder, iteration);
  const record = await readRecord(join(folder, RECORD_FILE));
  if (E.isLeft(record)) return record;
  const { losses, evaluations, heldoutBefore } = record.right;
  if (record.right.fingerprint !== fingerprint || record.right.iteration !== iteration) {
    return E.left([
      problem('', 'belongs to another experiment: adapter, optimizer, seed, rows or base model differ; train without --resume or choose another --out'),
    ]);
  }
  return E.map((tensors: readonly NamedArray[]) => ({ state: { iteration, tensors }, losses, evaluations, heldoutBefore }))(
    await readTensors(join(folder, STATE_FILE)),
  );
};
