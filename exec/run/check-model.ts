import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import type { Model } from '../../core/model/model.ts';
import type { Problems } from '../../core/problem.ts';
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { checkModelTensors } from '../checkpoint/model-tensors.ts';
import type { ExecError } from '../exec-error.ts';

/** Everything wrong with a model folder's weights at once; a rank would see its own layers only. Reads headers, no values. */
export const checkModel =
  (model: Model, modelFolder: string): TaskEither<ExecError, void> =>
  async () => {
    const badModel = (problems: Problems): ExecError => ({ kind: 'badInput', files: [{ file: modelFolder, problems }] });
    const source = await openCheckpoint(modelFolder);
    if (E.isLeft(source)) return E.left(badModel(source.left));
    const problems = checkModelTensors(model, { first: 0, end: model.layerCount }, source.right);
    await source.right.close();
    return isNonEmpty(problems) ? E.left(badModel(problems)) : E.right(undefined);
  };
