import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { mergeFolder } from '../../exec/adapter/merge-folder.ts';
import { execution, type Failure } from '../failure.ts';

export interface MergeFlags {
  readonly model: string;
  readonly out: string;
}

/** `mlora merge`: writes base + adapter as a plain model folder. */
export const mergeCommand = (adapter: string, { model, out }: MergeFlags): TE.TaskEither<Failure, void> =>
  pipe(
    mergeFolder({ adapter, model, out }),
    TE.bimap(execution, () => void process.stdout.write(`${adapter} merged into ${model}: ${out}\n`)),
  );
