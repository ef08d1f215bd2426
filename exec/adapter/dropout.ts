import { MODULE_NAMES, type ModuleName } from '../../core/model/model.ts';
import { PURPOSE, generatorFor } from './random.ts';

/** Training rows of one adapter inside a microbatch: their lengths in tokens and the place of the first in its mini-batch. */
export interface RowSpan {
  readonly lengths: readonly number[];
  readonly firstRow: number;
}

/** Names one mask: which adapter, which optimizer step, which module. */
export interface DropoutKey {
  readonly seed: number;
  readonly step: number;
  readonly layer: number;
  readonly module: ModuleName;
}

/**
 * Dropout mask `[tokens, width]` of the rows of one adapter, 0 or 1/(1 − p). Every row has a stream of its own, so the
 * mask does not change with neighbours, with the stage cut or with how the mini-batch is split.
 */
export const dropoutMask = (key: DropoutKey, rows: RowSpan, width: number, probability: number): Float32Array => {
  const tokens = rows.lengths.reduce((sum, length) => sum + length, 0);
  const mask = new Float32Array(tokens * width);
  const kept = 1 / (1 - probability);
  const threshold = probability * 2 ** 32;
  let position = 0;
  rows.lengths.forEach((length, index) => {
    const row = rows.firstRow + index;
    const generator = generatorFor([
      PURPOSE.dropout,
      key.seed,
      key.step,
      key.layer,
      MODULE_NAMES.indexOf(key.module),
      row,
    ]);
    for (const end = position + length * width; position < end; position++) {
      mask[position] = generator.next() >>> 0 < threshold ? 0 : kept;
    }
  });
  return mask;
};
