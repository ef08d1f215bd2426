import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawRunKey } from '../../exec/transport/run-key.ts';
import { openTwoMachines, whyNoNamespaces, type TwoMachines } from '../../experiments/two-machines/two-machines.ts';
import { runCli } from './run-cli.ts';
import { shortExperiment } from './short-experiment.ts';

const obstacle = whyNoNamespaces();
if (obstacle !== null && process.env.CI_NETNS === 'required') throw new Error(`CI requires network namespaces: ${obstacle}`);
if (obstacle !== null) process.stderr.write(`runs over two machines are not tested, there are no network namespaces: ${obstacle}\n`);

const CLI = resolve('dist/cli/main.js');
const JOBS = ['sums', 'dates'];

/** A process of a run, with what it has said. */
interface Process {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly code: Promise<number | null>;
}

const watch = (child: ChildProcess): Process => {
  let text = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, said: () => text, code: new Promise((ended) => child.once('close', ended)) };
};

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await setTimeout(10);
};

describe.skipIf(obstacle !== null)('two machines with 1 Gbit/s and 2 ms between them', () => {
  let folder = '';
  let machines: TwoMachines;
  let experiment = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
    experiment = join(folder, 'experiment.yaml');
    await writeFile(experiment, shortExperiment(12));
    machines = await openTwoMachines({ bitsPerSecond: 1e9, latencySeconds: 0.002 });
  });
  afterAll(async () => {
    await machines.close();
    await rm(folder, { recursive: true });
  });

  /** Rank 0, which coordinates, on the first machine, rank 1 on the second. */
  const startRun = (out: string, flags: readonly string[] = []): readonly [Process, Process] => {
    const common = { MASTER_ADDR: machines.addresses[0], MASTER_PORT: '29500', MLORA_RUN_KEY: drawRunKey().secret, WORLD_SIZE: '2' };
    const start = (rank: 0 | 1, ...command: readonly string[]): Process =>
      watch(machines.start(rank, [process.execPath, CLI, ...command, ...flags], { ...common, RANK: String(rank) }));
    return [start(0, 'train', experiment, '--out', out), start(1, 'rank')];
  };

  const adaptersIn = (out: string): readonly Buffer[] =>
    JOBS.map((job) => readFileSync(join(out, 'adapters', job, 'adapter_model.safetensors')));

  it('train what one machine trains, also when the cable is pulled for two seconds', async () => {
    const [apart, together] = [join(folder, 'apart'), join(folder, 'together')];
    const [coordinator, rank] = startRun(apart);
    await until(() => coordinator.said().includes('iteration 3/12'));
    machines.pullCable();
    await setTimeout(2000);
    expect(coordinator.child.exitCode).toBe(null);
    machines.plugCable();
    expect(await coordinator.code, coordinator.said()).toBe(0);
    expect(await rank.code, rank.said()).toBe(0);
    expect((await runCli(['train', experiment, '--out', together, '--launcher', 'local'])).code).toBe(0);
    expect(adaptersIn(apart)).toEqual(adaptersIn(together));
  });

  it('say on both sides that they have lost each other when the cable stays out', async () => {
    const [coordinator, rank] = startRun(join(folder, 'cut'), ['--line-timeout', '2']);
    await until(() => coordinator.said().includes('iteration 3/12'));
    machines.pullCable();
    expect(await coordinator.code).toBe(75);
    expect(coordinator.said()).toContain('mlora: rank 0 has lost its connection to rank 1. All ranks were stopped');
    expect(coordinator.said()).toContain('--resume');
    expect(await rank.code).toBe(1);
    expect(rank.said()).toMatch(/mlora: rank 1: the coordinator at tcp:\/\/10\.213\.77\.1:29500 is gone/);
    machines.plugCable();
  });
});
