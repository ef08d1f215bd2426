import * as E from 'fp-ts/lib/Either.js';
import { type Model, MODULE_NAMES, linearShape } from '../../core/model/model.ts';
import { MODEL_PRESETS } from '../../core/model/presets.ts';
import { formatTable } from '../../core/text-table.ts';
import { NS_PER_MS } from '../../core/units.ts';
import type { Backend } from '../../exec/backend/backend.ts';
import { type Products, countKernels, openProducts } from '../../exec/backend/measure.ts';
import { openBackend } from '../../exec/backend/open-backend.ts';
import type { LayerRange } from '../../exec/checkpoint/model-tensors.ts';
import { openDemo } from './demo-run.ts';
import { peftPassNs } from './peft-peer.ts';
import { type OpenCase, type SpeedCase, openCase, passFlops, whole } from './executor-case.ts';
import type { BenchOptions } from './main.ts';
import { median } from '../../sim/measured-ops.ts';

/**
 * Prints tokens/s and GFLOP/s of forward and backward beside the backend's own rate for the frozen products of the same
 * layers, measured in turns in the same run, and one BatchLoRA group of eight adapters beside eight passes of one adapter each.
 */
export const benchExecutorSpeed = async ({ backend: wanted }: BenchOptions): Promise<void> => {
  const opened = await openBackend(wanted);
  if (E.isLeft(opened)) throw new Error(opened.left.join('; '));
  const backend = opened.right;
  console.log(`backend ${backend.name}, one thread; FLOP of core/work, every position carries a loss; medians`);
  const shipped = (await openDemo()).experiment.model;
  const smol = MODEL_PRESETS.get('SmolLM2-135M')!;
  const shortSmol: Model = { ...smol, layerCount: 4 };
  const cases: readonly SpeedCase[] = [
    {
      name: 'shipped, 8 rows of 50',
      model: shipped,
      range: whole(shipped),
      adapters: 1,
      rowsPerAdapter: 8,
      rowTokens: 50,
      rounds: 15,
    },
    {
      name: 'shipped, 2 rows of 50',
      model: shipped,
      range: whole(shipped),
      adapters: 1,
      rowsPerAdapter: 2,
      rowTokens: 50,
      rounds: 25,
    },
    {
      name: 'SmolLM2-135M, 4 of 30 layers, 4 rows of 128',
      model: smol,
      range: { first: 1, end: 5 },
      adapters: 1,
      rowsPerAdapter: 4,
      rowTokens: 128,
      rounds: 5,
    },
    {
      name: 'SmolLM2-135M cut to 4 layers, with head, 2 rows of 128',
      model: shortSmol,
      range: whole(shortSmol),
      adapters: 1,
      rowsPerAdapter: 2,
      rowTokens: 128,
      rounds: 4,
    },
    {
      name: 'SmolLM2-135M, last 2 layers and head, 2 rows of 128',
      model: smol,
      range: { first: 28, end: 30 },
      adapters: 1,
      rowsPerAdapter: 2,
      rowTokens: 128,
      rounds: 4,
    },
  ];
  const rows = [['case', 'tokens/s', 'GFLOP/s', 'matMul of the layers', 'ratio']];
  const passNs = new Map<SpeedCase, number>();
  for (const speedCase of cases) {
    const measured = await measureCase(backend, speedCase);
    passNs.set(speedCase, measured.passNs);
    rows.push(measured.row);
  }
  console.log(formatTable(rows));
  console.log(comparePeft(passNs));
  console.log(formatTable(await measureGroups(backend, shipped)));
  backend.dispose();
};

/** The cases of whole models beside PyTorch + PEFT on one thread. */
const comparePeft = (passNs: ReadonlyMap<SpeedCase, number>): string => {
  const cases = [...passNs.keys()].filter(({ model, range }) => range.first === 0 && range.end === model.layerCount);
  const peers = peftPassNs(cases);
  if (peers === null) return 'no PyTorch + PEFT to compare with: set MLORA_PYTHON to a Python that has torch, transformers and peft';
  const tokensPerSecond = ({ rowsPerAdapter, rowTokens }: SpeedCase, ns: number): number => (rowsPerAdapter * rowTokens * 1e9) / ns;
  const rows = cases.map((speedCase, index) => {
    const [ours, theirs] = [passNs.get(speedCase)!, peers[index]!];
    return [speedCase.name, ...[ours, theirs].map((ns) => tokensPerSecond(speedCase, ns).toFixed(0)), (theirs / ours).toFixed(2)];
  });
  return formatTable([['tokens/s, one thread', 'mlora', 'PyTorch + PEFT', 'ratio'], ...rows]);
};

interface MeasuredCase {
  readonly passNs: number;
  readonly row: string[];
}

const measureCase = async (backend: Backend, speedCase: SpeedCase): Promise<MeasuredCase> => {
  const { model, range } = speedCase;
  const run = await openCase(backend, speedCase);
  const products = layerProducts(model, range, run.tokens);
  const passNs: number[] = [];
  const productNs: number[] = [];
  for (let round = 0; round <= speedCase.rounds; round++) {
    const pass = await time(() => run.pass(0));
    const product = await time(products.run);
    // The first round packs the weights.
    if (round === 0) continue;
    passNs.push(pass);
    productNs.push(product);
  }
  products.dispose();
  run.stage.dispose();
  const rate = passFlops(speedCase) / median(passNs);
  const own = products.flops / median(productNs);
  const tokensPerSecond = (run.tokens * 1e9) / median(passNs);
  return {
    passNs: median(passNs),
    row: [speedCase.name, tokensPerSecond.toFixed(0), rate.toFixed(1), own.toFixed(1), (rate / own).toFixed(2)],
  };
};

const time = async (work: () => Promise<void> | void): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) * NS_PER_MS;
};

/** The frozen products of the layers' forward and backward, and nothing else. */
const layerProducts = (model: Model, range: LayerRange, rows: number): Products => {
  const layer = MODULE_NAMES.map((module) => linearShape(model, module)).flatMap(({ inputSize, outputSize }) => [
    { rows, inputSize, outputSize },
    { rows, inputSize: outputSize, outputSize: inputSize },
  ]);
  return openProducts(Array.from({ length: range.end - range.first }, () => layer).flat());
};

/** Eight adapters with one row each: as one group, and one after the other. */
const measureGroups = async (backend: Backend, model: Model): Promise<string[][]> => {
  const shared = { name: '', model, range: whole(model), rowsPerAdapter: 1, rowTokens: 50, rounds: 25 };
  const group = await openCase(backend, { ...shared, adapters: 8 });
  const single = await openCase(backend, { ...shared, adapters: 1 });
  const groupNs: number[] = [];
  const separateNs: number[] = [];
  for (let round = 0; round <= shared.rounds; round++) {
    const together = await time(() => group.pass(0));
    const apart = await time(async () => {
      for (let adapter = 0; adapter < 8; adapter++) await single.pass(0);
    });
    if (round === 0) continue;
    groupNs.push(together);
    separateNs.push(apart);
  }
  const [groupKernels, singleKernels] = [await kernelsOf(group), await kernelsOf(single)];
  group.stage.dispose();
  single.stage.dispose();
  const rate = (ns: readonly number[]): number => (group.tokens * 1e9) / median(ns);
  return [
    ['shipped, 8 adapters with a row of 50 each', 'tokens/s', 'kernels', 'gain'],
    ['8 passes', rate(separateNs).toFixed(0), String(8 * singleKernels), '1.00'],
    [
      '1 BatchLoRA group',
      rate(groupNs).toFixed(0),
      String(groupKernels),
      (median(separateNs) / median(groupNs)).toFixed(2),
    ],
  ];
};

const kernelsOf = async ({ pass }: OpenCase): Promise<number> => {
  let running: Promise<void> = Promise.resolve();
  const count = await countKernels(() => {
    running = pass(0);
  });
  await running;
  return count;
};
