import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileData } from '../../../core/job.ts';
import { readJobRows, type JobRowsOptions } from '../../../exec/data/job-rows.ts';
import { createRowReader } from '../../../exec/data/row-reader.ts';
import { demoJob, demoModel, MODEL_FOLDER } from '../demo.ts';

const ENTRY = fileURLToPath(new URL('../../../dist/exec/data/rows-worker.js', import.meta.url));

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

const askFor = (job = demoJob('extract')): JobRowsOptions => ({ jobs: [job], model: demoModel(), modelFolder: MODEL_FOLDER, dataFolder: folder });

/** What a read gives, and how often the loop came round meanwhile. */
const readBeside = async (read: ReturnType<typeof createRowReader>, options: JobRowsOptions) => {
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 1);
  const rows = await read(options);
  clearInterval(timer);
  return { rows, turns };
};

describe('a row reader', () => {
  it('gives the rows of a large file as they are read here, and leaves the loop free meanwhile', async () => {
    const { rows, turns } = await readBeside(createRowReader(ENTRY), askFor());
    expect(rows).toEqual(await readJobRows(askFor()));
    expect(turns).toBeGreaterThan(20);
  });

  it('says what is wrong with a large file as reading it here would, and goes on with the next one', async () => {
    const job = demoJob('extract');
    const train = join(folder, 'broken.jsonl');
    await writeFile(train, `{"instruction": "a", "output": "b"}\n${'no JSON\n'.repeat(10_000)}`);
    const broken = askFor({ ...job, data: { ...(job.data as FileData), train } });
    const read = createRowReader(ENTRY);
    const [wrong, right] = await Promise.all([read(broken), read(askFor())]);
    expect(wrong).toEqual(await readJobRows(broken));
    expect([wrong._tag, right._tag]).toEqual(['Left', 'Right']);
  });

  it('blames the file where its thread ends', async () => {
    const failing = join(folder, 'failing.mjs');
    await writeFile(failing, "throw new Error('out of memory');");
    const rows = await createRowReader(failing)(askFor());
    expect(rows).toMatchObject({ left: [{ problems: [{ message: 'cannot be read: out of memory' }] }, {}] });
  });

  it('reads a small file, and names one that is not there, without a thread', async () => {
    const job = demoJob('sums');
    const missing = askFor({ ...job, data: { ...(job.data as FileData), train: 'missing.jsonl' } });
    const read = createRowReader(join(folder, 'no-entry.js'));
    expect([await read(askFor(job)), await read(missing)]).toEqual([await readJobRows(askFor(job)), await readJobRows(missing)]);
  });
});
