import { fileURLToPath } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import { formatTable } from '../../core/text-table.ts';
import { openBackend } from '../../exec/backend/open-backend.ts';
import type { BenchOptions } from './main.ts';
import { REFERENCE_RUNS, compareWithReference } from './reference-run.ts';

const REFERENCE = fileURLToPath(new URL('../../../test/reference', import.meta.url));

const largest = (values: Iterable<number>): string => Math.max(...values).toExponential(1);

/** Prints how far 20 steps of our training are from PyTorch + PEFT, for every stored run. */
export const benchParity = async ({ backend: wanted }: BenchOptions): Promise<void> => {
  const opened = await openBackend(wanted === 'auto' ? 'wasm' : wanted);
  if (E.isLeft(opened)) throw new Error(opened.left.join('; '));
  const backend = opened.right;
  console.log(`20 steps on the ${backend.name} backend against PyTorch + PEFT: largest relative errors (targets: loss 1e-5, weights 1e-4)`);
  const rows = [['run', 'adapter', 'rank', 'modules', 'loss', 'weights', 'in']];
  for (const name of REFERENCE_RUNS) {
    const { adapter, lossErrors, weightErrors } = await compareWithReference(backend, REFERENCE, name);
    const [worst] = [...weightErrors].toSorted(([, a], [, b]) => b - a)[0]!;
    const { type, rank, targetModules } = adapter;
    const where = worst.replace('base_model.model.model.layers.', '');
    rows.push([name, type, `${rank}`, `${targetModules.length}`, largest(lossErrors), largest(weightErrors.values()), where]);
  }
  console.log(formatTable(rows));
};
