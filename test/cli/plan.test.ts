import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCli } from './run-cli.ts';

const experiment = (schedule: string): string => `name: one
model: TinyLlama-1.1B
cluster: 4xA6000-pcie
schedule: { type: ${schedule}, microbatches: 4 }
jobs:
  - name: a
    adapter: { rank: 8 }
    data: { lengths: { type: fixed, length: 256 } }
    batchSize: 4
    iterations: 2
`;

const write = async (name: string, text: string): Promise<string> => {
  const file = join(await mkdtemp(join(tmpdir(), 'mlora-plan-')), name);
  await writeFile(file, text);
  return file;
};

it('a plan takes the order of a PyTorch schedule file, gives it out again, and is simulated in it', async () => {
  const [gpipe, one] = [await write('gpipe.yaml', experiment('gpipe')), await write('one.yaml', experiment('1f1b'))];
  const csv = await runCli(['plan', gpipe, '--format', 'pytorch-csv']);
  expect(csv.stdout).toMatch(/^0F0,0F1,0F2,0F3,0B0,0B1,0B2,0B3\n1F0/);
  const order = await write('gpipe.csv', csv.stdout);
  expect((await runCli(['plan', one, '--order', order, '--format', 'pytorch-csv'])).stdout).toBe(csv.stdout);
  const plan = await write('plan.json', (await runCli(['plan', one, '--order', order])).stdout);
  const makespanOf = async (path: string): Promise<number> =>
    (JSON.parse((await runCli(['simulate', path, '--json'])).stdout) as { makespanSeconds: number }).makespanSeconds;
  expect(await makespanOf(plan)).toBe(await makespanOf(gpipe));
}, 60_000);

it('says in which line and cell a schedule file is wrong, and what it lacks', async () => {
  const one = await write('one.yaml', experiment('1f1b'));
  const said = async (text: string): Promise<string> => {
    const { code, stderr } = await runCli(['plan', one, '--order', await write('order.csv', text)]);
    expect(code).toBe(2);
    return stderr;
  };
  expect(await said('0F0,hello\n')).toContain('line 1, cell 2: is "hello"; expected an action such as 2F0');
  expect(await said('0F0,0B0\n1F0,1B0\n2F0,2B0\n3F0,3B0\n')).toContain('lacks 0F1');
  expect(await said(['0B0,0F0', '1F0,1B0', '2F0,2B0', '3F0,3B0'].map((line) => [0, 1, 2, 3].map((i) => line.replaceAll(/(?<=[FB])0/g, String(i))).join(',')).join('\n'))).toMatch(/breaks \d+ rules/);
}, 60_000);
