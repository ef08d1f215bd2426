import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { problem, type Problem, type Problems } from '../../core/problem.ts';

/** One turn of a conversation, e.g. `{ role: 'user', content: 'Hello' }`; templates may look at more of its fields. */
export type ChatMessage = Readonly<Record<string, unknown>> & { readonly role: string; readonly content: string };

/** A model's own way of writing a conversation as one text. */
export interface ChatTemplate {
  /** `prompting` opens the assistant's next turn. Throws where the template refuses the messages. */
  readonly render: (messages: readonly ChatMessage[], prompting: boolean) => string;
}

/** Templates that print the date (Llama 3.1's) take this one, their own default, so that runs can be repeated. */
const DATE = '26 Jul 2024';

const CONFIG_FILE = 'tokenizer_config.json';
/** Where transformers 4.51 and later keep the template. */
const TEMPLATE_FILE = 'chat_template.jinja';

const token = z.union([z.string(), z.looseObject({ content: z.string() }).transform(({ content }) => content)]);
const named = z.array(z.looseObject({ name: z.string(), template: z.string() }));
const configSchema = z.looseObject({
  bos_token: token.nullish(),
  eos_token: token.nullish(),
  chat_template: z.union([z.string(), named.transform((all) => all.find(({ name }) => name === 'default')?.template)]).nullish(),
});

const textOf = (path: string): Promise<string | null> => readFile(path, 'utf8').catch(() => null);

const parseConfig = (text: string | null): z.infer<typeof configSchema> | null => {
  try {
    return configSchema.safeParse(JSON.parse(text ?? '')).data ?? null;
  } catch {
    return null;
  }
};

const one = (message: string): E.Either<Problems, never> => E.left<[Problem]>([problem(CONFIG_FILE, message)]);

/** The chat template of a model folder. Left: it has none, or one that is not Jinja. */
export const readChatTemplate = async (folder: string): Promise<E.Either<Problems, ChatTemplate>> => {
  const config = parseConfig(await textOf(join(folder, CONFIG_FILE)));
  const text = (await textOf(join(folder, TEMPLATE_FILE))) ?? config?.chat_template ?? null;
  if (text === null) return one('has no chat_template; expected a model made for chats, or rows with prompt and completion templates');
  return E.mapLeft((error: unknown): Problems => [problem(CONFIG_FILE, `chat_template is not a Jinja template: ${String(error)}`)])(
    E.tryCatch(() => compile(text, config?.bos_token ?? '', config?.eos_token ?? ''), (error) => error),
  );
};

const compile = (text: string, bosToken: string, eosToken: string): ChatTemplate => {
  const template = new Template(text);
  return {
    render: (messages, prompting) =>
      template.render({
        messages,
        add_generation_prompt: prompting,
        bos_token: bosToken,
        eos_token: eosToken,
        date_string: DATE,
      }),
  };
};
