import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../../core/job.ts';
import { readChatTemplate } from '../../../exec/data/chat-template.ts';
import { readJobRows } from '../../../exec/data/job-rows.ts';
import { renderWithChat } from '../../../exec/data/render-row.ts';
import { rowAt } from '../../../exec/data/row-table.ts';
import { readTokenizer } from '../../../exec/data/tokenizer.ts';
import { demoJob, demoModel, MODEL_FOLDER } from '../demo.ts';

/** Turns between marks, as most models for chats have them. */
const CHAT_TEMPLATE =
  "{{ bos_token }}{% for message in messages %}{{ '[' + message.role + ']' + message.content }}" +
  "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}";

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mlora-test-'));
  await copyFile(join(MODEL_FOLDER, 'tokenizer.json'), join(folder, 'tokenizer.json'));
  await useTemplate(CHAT_TEMPLATE);
});
afterAll(() => rm(folder, { recursive: true }));

const useTemplate = async (chatTemplate: unknown): Promise<void> => {
  const config = JSON.parse(await readFile(join(MODEL_FOLDER, 'tokenizer_config.json'), 'utf8')) as object;
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify({ ...config, chat_template: chatTemplate }));
};

const messages = [
  { role: 'system', content: 'short' },
  { role: 'user', content: 'one?' },
  { role: 'assistant', content: 'two' },
  { role: 'user', content: 'three?' },
  { role: 'assistant', content: 'four' },
];

const chatJob = (changes: object = {}): Job => {
  const common = { kind: 'files', format: 'chat', train: 'chats.jsonl', heldout: null, split: 0 } as const;
  return { ...demoJob('sums'), data: { ...common, loss: 'completion', order: 'shuffled', maximumLength: 128, ...changes } };
};

const readChats = async (rows: readonly unknown[], job: Job = chatJob()): ReturnType<typeof readJobRows> => {
  await writeFile(join(folder, 'chats.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
  return readJobRows({ jobs: [job], model: demoModel(), modelFolder: folder, dataFolder: folder });
};

const decode = async (tokens: Int32Array): Promise<string> => {
  const codec = await readTokenizer(folder);
  if (E.isLeft(codec)) throw new Error('the tokenizer is broken');
  return codec.right.decode([...tokens.filter((token) => token >= 0)]);
};

const problemsOf = (result: Awaited<ReturnType<typeof readChats>>): string[] =>
  E.isLeft(result) ? result.left.flatMap(({ problems }) => problems.map(({ path, message }) => `${path}: ${message}`)) : [];

describe('a conversation', () => {
  test('is written as the model’s template has it, and only the assistant’s turns with their end carry loss', async () => {
    const rows = await readChats([{ messages }]);
    if (E.isLeft(rows)) throw new Error(problemsOf(rows).join('\n'));
    const row = rowAt(rows.right[0]!.training, 0);
    expect(await decode(row.tokens)).toBe('<s>[system]short[user]one?[assistant]two</s>[user]three?[assistant]four</s>');
    expect(await decode(row.targets)).toBe('two</s>four</s>');
  });

  test('carries loss everywhere where the job asks for it', async () => {
    const rows = await readChats([{ messages }], chatJob({ loss: 'all' }));
    if (E.isLeft(rows)) throw new Error(problemsOf(rows).join('\n'));
    const row = rowAt(rows.right[0]!.training, 0);
    expect([...row.targets.slice(0, -1)]).toEqual([...row.tokens.slice(1)]);
  });

  test('that is none says what is wrong, every row at once', async () => {
    const rows = [{ text: 'a' }, { messages: [{ role: 'user' }] }, { messages: messages.slice(0, 2) }, { messages: [] }];
    expect(problemsOf(await readChats(rows))).toEqual([
      'line 1: field "messages" is undefined; expected a list of messages',
      'line 2: messages[0] is {"role":"user"}; expected texts role and content',
      'line 3: no message is the assistant’s',
      'line 4: no message is the assistant’s',
    ]);
  });

  test('needs a template that keeps earlier turns as they were', () => {
    const onlyLast = renderWithChat({ render: (all, prompting) => `${all.at(-1)?.content ?? ''}${prompting ? '>' : ''}` });
    expect(onlyLast({ messages })).toEqual(E.left([expect.stringContaining('does not write messages[2] after the turns before it')]));
  });
});

describe('a model’s chat template', () => {
  const render = async (): Promise<string> => {
    const template = await readChatTemplate(folder);
    return E.isLeft(template) ? template.left[0].message : template.right.render([{ role: 'user', content: 'a' }], true);
  };

  test('may be one of several by name, or a file of its own, which goes first', async () => {
    await useTemplate([{ name: 'tool_use', template: 'x' }, { name: 'default', template: CHAT_TEMPLATE }]);
    expect(await render()).toBe('<s>[user]a[assistant]');
    await writeFile(join(folder, 'chat_template.jinja'), '{{ messages[0].content }} on {{ date_string }}');
    expect(await render()).toBe('a on 26 Jul 2024');
    await rm(join(folder, 'chat_template.jinja'));
  });

  test('that is absent or broken says so', async () => {
    await useTemplate(null);
    expect(await render()).toMatch(/^has no chat_template/);
    await useTemplate('{% if %}');
    expect(await render()).toMatch(/^chat_template is not a Jinja template/);
    await useTemplate(CHAT_TEMPLATE);
  });
});

describe('a split', () => {
  const rows = Array.from({ length: 20 }, (_, index) => ({
    messages: [{ role: 'user', content: String(index) }, { role: 'assistant', content: 'x' }],
  }));
  const splitTexts = async (seed: number): Promise<{ training: string[]; heldout: string[] }> => {
    const read = await readChats(rows, { ...chatJob({ split: 0.1 }), seed });
    if (E.isLeft(read)) throw new Error(problemsOf(read).join('\n'));
    const { training, heldout } = read.right[0]!;
    const texts = (table: typeof training): Promise<string[]> =>
      Promise.all(Array.from({ length: table.length }, (_, row) => decode(rowAt(table, row).tokens)));
    return { training: await texts(training), heldout: await texts(heldout!) };
  };

  test('holds out its share of the rows; every row is in exactly one part', async () => {
    const { training, heldout } = await splitTexts(1);
    expect([training.length, heldout.length]).toEqual([18, 2]);
    expect(new Set([...training, ...heldout]).size).toBe(20);
  });

  test('depends on the seed and on nothing else', async () => {
    const [once, again, other] = [await splitTexts(1), await splitTexts(1), await splitTexts(2)];
    expect(again).toEqual(once);
    expect(other.heldout).not.toEqual(once.heldout);
  });

  test('of a single row is refused', async () => {
    expect(problemsOf(await readChats(rows.slice(0, 1), chatJob({ split: 0.5 })))).toEqual([
      'data.split: chats.jsonl has one row; nothing can be held out',
    ]);
  });
});
