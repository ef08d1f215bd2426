import { formatTable } from '../../core/text-table.ts';
import type { AdapterResult } from '../../exec/run/train-options.ts';
import { openDemo, planPart, trainPart } from './demo-run.ts';

/** The shipped demo in a crowd against each of its adapters alone: no pipeline, no neighbours, the whole model on one device. */

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

const relativeLossError = (crowd: AdapterResult, solo: AdapterResult): number =>
  Math.max(...solo.losses.map((loss, iteration) => Math.abs(crowd.losses[iteration]! - loss) / Math.abs(loss)));

/** Largest ‖crowd − solo‖ ÷ ‖solo‖ over the adapter's tensors. */
const relativeWeightError = (crowd: AdapterResult, solo: AdapterResult): number => {
  const byName = new Map(crowd.weights.map((tensor) => [tensor.name, tensor.values]));
  return Math.max(
    ...solo.weights.map(({ name, values }) => {
      const other = byName.get(name)!;
      return norm(values.map((value, index) => other[index]! - value)) / norm(values);
    }),
  );
};

export const benchIsolation = async (): Promise<void> => {
  const demo = await openDemo();
  const names = demo.experiment.jobs.map(({ name }) => name);
  const crowd = await trainPart(planPart(demo, names, 2));
  console.log('The demo, four adapters over two stages, against each adapter alone on one device');
  const rows = [['adapter', 'iterations', 'largest loss error', 'largest weight error', 'target']];
  for (const [index, name] of names.entries()) {
    const solo = await trainPart(planPart(demo, [name], 1));
    const [mine, alone] = [crowd.adapters[index]!, solo.adapters[0]!];
    const errors = [relativeLossError(mine, alone), relativeWeightError(mine, alone)];
    rows.push([name, String(alone.losses.length), ...errors.map((error) => error.toExponential(1)), '1e-5']);
  }
  console.log(formatTable(rows));
};
