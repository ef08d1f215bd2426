import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import { stringify } from 'yaml';
import { formatProblems } from '../../core/problem.ts';
import { readChromeTrace } from '../../core/trace/read-chrome-trace.ts';
import type { Trace } from '../../core/trace/trace.ts';
import type { CostModel } from '../../core/cost-model.ts';
import type { Experiment } from '../../core/experiment/experiment.ts';
import type { Plan } from '../../core/plan/plan.ts';
import { formatPlanError } from '../../core/planners/plan-error.ts';
import { drawRunKey } from '../../exec/transport/run-key.ts';
import { openExperiment } from '../../exec/run/open-experiment.ts';
import { planExperiment } from '../../sim/plan-experiment.ts';
import type { MeasuredRun } from '../../sim/measured-ops.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { openTwoMachines, type Cable } from '../two-machines/two-machines.ts';

/** A plan that has run on two machines, some times over. */
export interface TwoMachineRuns {
  readonly experiment: Experiment;
  readonly plan: Plan;
  readonly cost: CostModel;
  /** One for each cable, in their order. */
  readonly runs: readonly MeasuredRun[];
}

export interface TwoMachineCase {
  /** What the plan is made for; null: as fast as the kernel is. */
  readonly plannedFor: Cable | null;
  /** Of each run. */
  readonly cables: readonly (Cable | null)[];
  readonly iterations: number;
  readonly batchSize: number;
  readonly microbatches: number;
}

export const GIGABIT: Cable = { bitsPerSecond: 1e9, latencySeconds: 0.002 };

const CLI = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const DEMO = join(PACKAGE_ROOT, 'experiments/demo');
const JOBS = ['sums', 'dates', 'opposites', 'extract'];

/** A link that is faster than any transfer needs, where none is known. */
const FAST = { bandwidth: '1 GB/s', latency: '100 us' };

const networkOf = (cable: Cable | null) =>
  cable === null ? FAST : { bandwidth: `${cable.bitsPerSecond / 8e6} MB/s`, latency: `${1000 * cable.latencySeconds} ms` };

/** Jobs of the shipped demo, one stage on each of two machines. */
const experimentText = ({ plannedFor, iterations, batchSize, microbatches }: TwoMachineCase): string =>
  stringify({
    name: 'two machines',
    model: join(DEMO, 'model'),
    cluster: { machines: [{ gpu: 'cpu-wasm' }, { gpu: 'cpu-wasm' }], network: networkOf(plannedFor) },
    schedule: { type: 'lorapp', microbatches },
    defaults: {
      batchSize,
      iterations,
      adapter: { rank: 8 },
      data: { prompt: '### Instruction:\n{{ instruction }}\n### Response:\n', completion: '{{ output }}' },
    },
    jobs: JOBS.map((name) => ({ name, data: { train: join(DEMO, `data/${name}.train.jsonl`) } })),
  });

const planFile = async (file: string): Promise<Omit<TwoMachineRuns, 'runs'>> => {
  const open = await openExperiment(file)();
  if (E.isLeft(open)) throw new Error(open.left.map((each) => formatProblems(each.file, each.problems)).join('\n'));
  const { experiment, files } = open.right;
  const planned = planExperiment(experiment, { files });
  if (E.isLeft(planned)) throw new Error(formatPlanError(planned.left));
  return { experiment, plan: planned.right.plan, cost: planned.right.cost };
};

/** A run's trace, from ranks that a launcher has started: with the CURVE keys of a run over a network. */
const train = async (cable: Cable | null, file: string, out: string): Promise<Trace> => {
  const machines = await openTwoMachines(cable);
  try {
    const env = { MASTER_ADDR: machines.addresses[0], MASTER_PORT: '29500', WORLD_SIZE: '2', MLORA_RUN_KEY: drawRunKey().secret };
    const ranks = ([0, 1] as const).map((rank) =>
      machines.start(rank, [process.execPath, CLI, ...(rank === 0 ? ['train', file, '--out', out] : ['rank'])], { ...env, RANK: String(rank) }),
    );
    let said = '';
    for (const { stdout, stderr } of ranks) for (const stream of [stdout!, stderr!]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const codes = await Promise.all(ranks.map(async (rank) => (await once(rank, 'close'))[0] as number | null));
    if (codes.some((code) => code !== 0)) throw new Error(`a rank ended with ${codes.join(' and ')}:\n${said}`);
    const trace = readChromeTrace(readFileSync(join(out, 'measured.trace.json'), 'utf8'));
    if (E.isLeft(trace)) throw new Error(formatProblems(out, trace.left));
    return trace.right;
  } finally {
    await machines.close();
  }
};

/** Trains on two network namespaces, once on each cable, always by the same plan. */
export const runOnTwoMachines = async (setting: TwoMachineCase): Promise<TwoMachineRuns> => {
  const folder = mkdtempSync(join(tmpdir(), 'mlora-bench-'));
  try {
    const file = join(folder, 'experiment.yaml');
    writeFileSync(file, experimentText(setting));
    const planned = await planFile(file);
    const { model, precision, jobs } = planned.experiment;
    const runs: MeasuredRun[] = [];
    for (const [round, cable] of setting.cables.entries()) {
      const trace = await train(cable, file, join(folder, String(round)));
      runs.push({ trace: { ...trace, plan: planned.plan }, model, precision, adapters: jobs.map(({ adapter }) => adapter) });
    }
    return { ...planned, runs };
  } finally {
    rmSync(folder, { recursive: true });
  }
};
