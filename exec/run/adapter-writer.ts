import * as E from 'fp-ts/lib/Either.js';
import { writePeftFolder } from '../adapter/peft-folder.ts';
import { ExecFailure } from '../exec-error.ts';
import type { NamedArray } from '../stage.ts';
import type { Output } from './output.ts';
import type { TrainOptions } from './train-options.ts';

/** Keeps the weights of trained adapters and writes each one while the others go on training. */
export interface AdapterWriter {
  readonly onTrained: (adapter: number, weights: readonly NamedArray[]) => void;
  /** Trained weights by adapter, once all are written; rejects with an ExecFailure if one could not be. */
  readonly finish: () => Promise<ReadonlyMap<number, readonly NamedArray[]>>;
}

/** `fail` is told at once when an adapter cannot be written, so that the run does not go on for nothing. */
export const createAdapterWriter = (options: TrainOptions, output: Output | null, fail: (error: Error) => void): AdapterWriter => {
  const trained = new Map<number, readonly NamedArray[]>();
  let writing = Promise.resolve();
  const write = async (adapter: number, weights: readonly NamedArray[], { adapterFolder }: Output): Promise<void> => {
    const { job } = options.jobs[adapter]!;
    const folder = adapterFolder(job.name);
    const written = await writePeftFolder(folder, { adapter: job.adapter, baseModel: options.model.name, weights });
    if (E.isLeft(written)) throw new ExecFailure({ kind: 'outputUnwritable', folder, reason: written.left[0].message });
    options.onProgress({ kind: 'saved', adapter: job.name, folder });
  };
  return {
    onTrained: (adapter, weights) => {
      trained.set(adapter, weights);
      if (output === null) return;
      writing = writing.then(() => write(adapter, weights, output));
      writing.catch(fail);
    },
    finish: async () => {
      await writing;
      return trained;
    },
  };
};
