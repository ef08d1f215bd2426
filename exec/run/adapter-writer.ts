import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import { writePeftFolder } from '../adapter/peft-folder.ts';
import { ExecFailure } from '../exec-error.ts';
import type { NamedArray } from '../stage.ts';
import { writeCheckpoint } from './job-checkpoint.ts';
import type { JobProgress } from './job-records.ts';
import type { Output } from './output.ts';
import type { TrainOptions } from './train-options.ts';

/** Writes trained adapters and checkpoints, one after the other, while training goes on. */
export interface AdapterWriter {
  readonly onTrained: (adapter: number, weights: readonly NamedArray[]) => void;
  readonly onCheckpoint: (adapter: number, progress: JobProgress) => void;
  /** Settles once all is written; rejects with an ExecFailure if something could not be. */
  readonly finish: () => Promise<void>;
}

/** `fail` is told at once when something cannot be written, so that the run does not go on for nothing. */
export const createAdapterWriter = (options: TrainOptions, output: Output | null, fail: (error: Error) => void): AdapterWriter => {
  let writing = Promise.resolve();
  const enqueue = (task: (output: Output) => Promise<void>): void => {
    if (output === null) return;
    writing = writing.then(() => task(output));
    writing.catch(fail);
  };
  return {
    onTrained: (adapter, weights) =>
      enqueue(async ({ adapterFolder }) => {
        const { job } = options.jobs[adapter]!;
        const folder = adapterFolder(job.name);
        const written = await writePeftFolder(folder, { adapter: job.adapter, baseModel: options.model.name, weights });
        if (E.isLeft(written)) throw new ExecFailure({ kind: 'writeFailed', folder, reason: written.left[0].message });
        options.onProgress({ kind: 'saved', adapter: job.name, folder });
      }),
    onCheckpoint: (adapter, progress) => {
      const { checkpoints } = options;
      if (checkpoints === undefined) return;
      enqueue(async ({ checkpointFolder }) => {
        const folder = checkpointFolder(options.jobs[adapter]!.job.name);
        const identity = { fingerprint: checkpoints.fingerprints[adapter]!, keep: checkpoints.keep };
        await writeCheckpoint(folder, progress, identity).catch((error: unknown) => {
          throw new ExecFailure({ kind: 'writeFailed', folder, reason: messageOf(error) });
        });
      });
    },
    finish: () => writing,
  };
};
