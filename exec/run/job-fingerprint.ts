import { createHash, type Hash } from 'node:crypto';
import * as E from 'fp-ts/lib/Either.js';
import type { Model } from '../../core/model/model.ts';
import type { Problems } from '../../core/problem.ts';
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import type { RowTable } from '../data/row-table.ts';
import type { TrainJob } from './train-job.ts';

/** Stands for all weights of a base model: further pre-training changes it, and it is small. */
const TELLING_TENSOR = 'model.norm.weight';

/** Text that two base models share only if they are the same. */
export const identifyBase = async (model: Model, modelFolder: string): Promise<E.Either<Problems, string>> => {
  const source = await openCheckpoint(modelFolder);
  if (E.isLeft(source)) return source;
  try {
    const { name: _, ...shape } = model;
    const tensors = source.right.names.toSorted().map((name) => [name, source.right.shape(name)]);
    const hash = createHash('sha256').update(JSON.stringify([shape, tensors]));
    const values = await source.right.read(TELLING_TENSOR);
    return E.map((norm: Float32Array) => hash.update(norm).digest('hex'))(values);
  } finally {
    await source.right.close();
  }
};

const addTable = (hash: Hash, table: RowTable): void => {
  for (const column of [table.start, table.tokens, table.targets]) hash.update(column);
};

/** Everything that an adapter's values depend on beside the base; not its name, its files' places, or the plan. */
const addJob = (hash: Hash, { job, rows, order }: TrainJob): void => {
  hash.update(JSON.stringify([job.adapter, job.optimizer, job.seed, order]));
  addTable(hash, rows.training);
};

/**
 * A fingerprint of each job: equal ones give the same adapter, whatever the plan, so a checkpoint may be continued.
 * Left: what is wrong with the base model's weights.
 */
export const fingerprintJobs = async (
  jobs: readonly TrainJob[],
  model: Model,
  modelFolder: string,
): Promise<E.Either<Problems, readonly string[]>> => {
  const base = await identifyBase(model, modelFolder);
  return E.map((identity: string) =>
    jobs.map((job) => {
      const hash = createHash('sha256').update(identity);
      addJob(hash, job);
      return hash.digest('hex');
    }),
  )(base);
};
