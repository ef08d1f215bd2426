import { mkdtemp, rm, writeFile, copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readJobRows, readSoundRows } from '../../../exec/data/job-rows.ts';
import { rowAt } from '../../../exec/data/row-table.ts';
import { readTokenizer } from '../../../exec/data/tokenizer.ts';
import { formatExecError } from '../../../exec/exec-error.ts';
import type { FileData, Job } from '../../../core/job.ts';
import { demoJob, demoModel, MODEL_FOLDER } from '../demo.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

const withData = (job: Job, data: Partial<Extract<FileData, { format: 'template' }>>): Job => {
  if (job.data.kind !== 'files' || job.data.format !== 'template') throw new Error('the demo job has templates');
  return { ...job, data: { ...job.data, ...data } };
};

const read = (jobs: readonly Job[]): ReturnType<typeof readJobRows> =>
  readJobRows({ jobs, model: demoModel(), modelFolder: MODEL_FOLDER, dataFolder: folder });

describe('the rows of the shipped data sets', () => {
  it('decode to the rendered templates', async () => {
    const rows = await read([demoJob('sums')]);
    if (E.isLeft(rows)) throw new Error(formatExecError({ kind: 'badInput', files: rows.left }));
    const codec = await readTokenizer(MODEL_FOLDER);
    if (E.isLeft(codec)) throw new Error('the shipped tokenizer is broken');
    const { training, heldout } = rows.right[0]!;
    const row = rowAt(training, 0);
    expect(codec.right.decode([...row.tokens])).toMatch(/^<s>### Instruction:\n.+\n### Response:\n\d+ [-+] \d+ = \d+<\/s>$/);
    expect(codec.right.decode([...row.targets.filter((target) => target >= 0)])).toMatch(/^\d+ [-+] \d+ = \d+<\/s>$/);
    expect([training.length, heldout?.length]).toEqual([400, 64]);
  });
});

describe('reading the data of all jobs', () => {
  it('reports every file and every job at once', async () => {
    await writeFile(join(folder, 'broken.jsonl'), '{"instruction": "a"}\n{"output": "b"}\n');
    const rows = await read([
      withData(demoJob('sums'), { train: 'broken.jsonl', heldout: 'absent.jsonl' }),
      withData(demoJob('dates'), { prompt: '{{', maximumLength: 100_000 }),
      { ...demoJob('dates'), name: 'made-up', data: { kind: 'synthetic', rows: 3, lengths: { type: 'fixed', length: 4 } } },
    ]);
    if (E.isRight(rows)) throw new Error('expected problems');
    expect(rows.left.map(({ file, problems }) => [file.replace(`${folder}/`, ''), problems.map(({ path }) => path)])).toEqual([
      ['broken.jsonl', ['line 1', 'line 2']],
      ['absent.jsonl', ['']],
      ['job dates', ['data.prompt', 'data.maximumLength']],
      ['job made-up', ['data']],
    ]);
  });

  it('can leave out a job for its broken rows, but for nothing else and not every job', async () => {
    await writeFile(join(folder, 'rows.jsonl'), '{"instruction": "a", "output": "b"}\n{"output": "b"}\n');
    await writeFile(join(folder, 'empty.jsonl'), '\n');
    const request = { model: demoModel(), modelFolder: MODEL_FOLDER, dataFolder: folder };
    const broken = withData(demoJob('dates'), { train: 'rows.jsonl' });
    const rows = await readSoundRows({ ...request, jobs: [broken, demoJob('sums')] });
    if (E.isLeft(rows)) throw new Error(formatExecError({ kind: 'badInput', files: rows.left }));
    expect(rows.right.sound.map(({ job, rows: { training } }) => [job.name, training.length])).toEqual([['sums', 400]]);
    expect(rows.right.broken.map(({ job, files }) => [job.name, files[0]!.problems.map(({ path }) => path)])).toEqual([['dates', ['line 2']]]);
    for (const train of ['absent.jsonl', 'empty.jsonl']) {
      const jobs = [broken, demoJob('sums'), withData(demoJob('sums'), { train })];
      const files = await readSoundRows({ ...request, jobs });
      expect(E.isLeft(files) && files.left.map(({ file }) => file)).toEqual([join(folder, 'rows.jsonl'), join(folder, train)]);
    }
    expect(E.isLeft(await readSoundRows({ ...request, jobs: [broken] }))).toBe(true);
  });

  it('names the tokenizer file that is missing or wrong', async () => {
    await copyFile(join(MODEL_FOLDER, 'tokenizer.json'), join(folder, 'tokenizer.json'));
    const missing = await readTokenizer(folder);
    await writeFile(join(folder, 'tokenizer_config.json'), '{"bos_token": "<s>", "eos_token": "<nothing>"}');
    const wrong = await readTokenizer(folder);
    const pathOf = (result: typeof wrong): string => (E.isLeft(result) ? result.left[0].path : 'none');
    expect([pathOf(missing), pathOf(wrong)]).toEqual(['tokenizer_config.json', 'tokenizer_config.json.eos_token']);
  });
});
