import { cp, mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Adapter } from '../../core/job.ts';
import { writePeftFolder } from '../../exec/adapter/peft-folder.ts';
import { parameterLayout } from '../../exec/adapter/parameter-layout.ts';
import { unpackParameters } from '../../exec/adapter/named-parameters.ts';
import { demoModel } from '../exec/demo.ts';
import { REPOSITORY, runCli } from './run-cli.ts';

const MODEL = join(REPOSITORY, 'experiments/demo/model');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Case {
  readonly name: string;
  /** Breaks the copy of the shipped model. */
  readonly breakModel?: (model: string) => Promise<void>;
  readonly rows?: string;
  readonly job?: Readonly<Record<string, unknown>>;
  readonly message: string;
}

const WEIGHTS = 'model.safetensors';

const editJson = async (path: string, edit: (json: Record<string, unknown>) => void): Promise<void> => {
  const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  edit(json);
  await writeFile(path, JSON.stringify(json));
};

const overwrite = async (path: string, at: number, bytes: Uint8Array): Promise<void> => {
  const file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, at);
  await file.close();
};

const HUGE = Uint8Array.of(0, 0, 0, 0, 0, 255, 255, 127);

/** Puts a text in place of another one of the same length in the header. */
const editHeader = async (path: string, from: RegExp, to: (found: string) => string): Promise<void> => {
  const head = (await readFile(path)).subarray(0, 40_000).toString('latin1');
  const found = from.exec(head)!;
  await overwrite(path, found.index, Buffer.from(to(found[0]).padEnd(found[0].length), 'latin1'));
};

const CASES: readonly Case[] = [
  { name: 'weights that are cut short', breakModel: (model) => truncate(join(model, WEIGHTS), 1_000_000), message: 'model.safetensors' },
  { name: 'a header that reaches beyond its file', breakModel: (model) => overwrite(join(model, WEIGHTS), 0, HUGE), message: 'its header claims' },
  {
    name: 'a tensor with a negative range',
    breakModel: (model) => editHeader(join(model, WEIGHTS), /"data_offsets": ?\[[1-9]\d+/, (found) => found.replace(/\[\d/, '[-')),
    message: 'expected [begin, end] with 0 ≤ begin ≤ end',
  },
  {
    name: 'a config of other shapes than the weights',
    breakModel: (model) => editJson(join(model, 'config.json'), (config) => (config.intermediate_size = 256)),
    message: 'model.layers.0.mlp.gate_proj.weight: has shape [512,192]',
  },
  {
    name: 'an architecture we do not know',
    breakModel: (model) => editJson(join(model, 'config.json'), (config) => (config.architectures = ['GPT2LMHeadModel'])),
    message: 'GPT2LMHeadModel',
  },
  {
    name: 'a tokenizer with more tokens than the model',
    breakModel: (model) =>
      editJson(join(model, 'tokenizer.json'), (json) =>
        (json.added_tokens as unknown[]).push({ id: 5000, content: '<more>', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }),
      ),
    rows: '{"instruction": "a", "output": "<more>"}\n',
    message: 'line 1: token 5000 ("<more>") is outside the model\'s vocabulary of 1024',
  },
  { name: 'data without rows', rows: '\n', message: 'rows.jsonl: holds no rows' },
  {
    name: 'rows of which nothing to learn is left',
    rows: `{"instruction": "${'long '.repeat(200)}", "output": "b"}\n`,
    job: { data: { maximumLength: 16 } },
    message: 'line 1: nothing of the completion is left within 16 tokens',
  },
];

describe('mlora train', () => {
  it.each(CASES)('refuses $name before training, with exit code 2 and nothing written', async ({ breakModel, rows, job, message }) => {
    const place = await mkdtemp(join(folder, 'case-'));
    const model = join(place, 'model');
    await cp(MODEL, model, { recursive: true });
    await breakModel?.(model);
    await writeFile(join(place, 'rows.jsonl'), rows ?? '{"instruction": "a", "output": "b"}\n');
    const { data = {}, ...settings } = job ?? {};
    const own = { train: 'rows.jsonl', prompt: '{{ instruction }}', completion: '{{ output }}' };
    const jobs = [{ name: 'one', adapter: { rank: 2 }, batchSize: 1, iterations: 1, ...settings, data: { ...own, ...(data as object) } }];
    await writeFile(join(place, 'experiment.yaml'), stringify({ name: 'bad', model: './model', cluster: '2xcpu', jobs }));
    const { code, stderr, stdout } = await runCli(['train', 'experiment.yaml', '--out', 'out/run'], place);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect((await readdir(place)).toSorted()).toEqual(['experiment.yaml', 'model', 'rows.jsonl']);
  }, 60_000);
});

describe('an adapter of another base', () => {
  const adapter: Adapter = { type: 'lora', rank: 2, alpha: 4, dropout: 0, targetModules: ['q_proj'] };

  it.each(['generate', 'merge'])('is refused by mlora %s with exit code 2 and the tensors that do not fit', async (command) => {
    const other = { ...demoModel(), hiddenSize: 96 };
    const layout = parameterLayout(other, { first: 0, end: other.layerCount }, adapter);
    const path = join(folder, 'other-base');
    await writePeftFolder(path, { adapter, baseModel: 'other', weights: unpackParameters(layout, new Float32Array(layout.size)) });
    const args = command === 'merge' ? ['merge', path, '--model', MODEL, '--out', join(folder, 'merged')] : ['generate', '--model', MODEL, '--adapter', path, '--prompt', 'a'];
    const { code, stderr, stdout } = await runCli(args);
    expect(stderr).toContain('base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(await readdir(folder)).not.toContain('merged');
  }, 60_000);
});
