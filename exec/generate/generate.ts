import * as E from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import type { Model } from '../../core/model/model.ts';
import { problem } from '../../core/problem.ts';
import { readPeftFolder, type PeftAdapter } from '../adapter/peft-folder.ts';
import type { Backend, BackendName } from '../backend/backend.ts';
import { openBackend } from '../backend/open-backend.ts';
import { catchExecFailure, orBadInput } from '../bad-input.ts';
import { openCheckpoint } from '../checkpoint/checkpoint.ts';
import { readModelConfig } from '../checkpoint/model-folder.ts';
import { readChatTemplate } from '../data/chat-template.ts';
import { readTokenizer, type TextCodec } from '../data/tokenizer.ts';
import { type ExecError, ExecFailure } from '../exec-error.ts';
import { type LanguageModel, openLanguageModel } from './language-model.ts';
import { createSampler } from './sample-token.ts';

export interface GenerateOptions {
  readonly modelFolder: string;
  /** Adapter folder; null: the base model alone. */
  readonly adapterFolder: string | null;
  readonly prompt: string;
  /** The prompt is a user's message, to be put into the model's chat template. */
  readonly chat: boolean;
  readonly maximumTokens: number;
  /** 0 takes the likeliest token every time. */
  readonly temperature: number;
  readonly seed: number;
  readonly backend: BackendName | 'auto';
}

export interface Generated {
  readonly text: string;
  readonly tokens: readonly number[];
  /** `end`: the model ended its text; `length`: the tokens asked for, or the model's positions, are used up. */
  readonly stopped: 'end' | 'length';
}

const openBackendOrThrow = async (name: BackendName | 'auto'): Promise<Backend> => {
  const backend = await openBackend(name);
  if (E.isRight(backend)) return backend.right;
  throw new ExecFailure({ kind: 'backendUnavailable', backend: name, reasons: backend.left });
};

const promptTokens = async (codec: TextCodec, { prompt, chat, modelFolder }: GenerateOptions): Promise<readonly number[]> => {
  if (!chat) return [...(codec.begin === null ? [] : [codec.begin]), ...codec.encode(prompt)];
  const template = orBadInput(modelFolder)(await readChatTemplate(modelFolder));
  return codec.encode(template.render([{ role: 'user', content: prompt }], true));
};

const checkPrompt = (tokens: readonly number[], model: Model): void => {
  const wrong = (message: string): never => orBadInput('the prompt')(E.left([problem('', message)]));
  if (tokens.length === 0) wrong('is empty, and the tokenizer opens a text with no token of its own');
  if (tokens.length >= model.maxPositions) wrong(`has ${tokens.length} tokens; expected fewer than the model's ${model.maxPositions} positions`);
  const foreign = tokens.find((token) => token >= model.vocabularySize);
  if (foreign !== undefined) wrong(`holds token ${foreign}, which is outside the model's vocabulary of ${model.vocabularySize}`);
};

/** Continues `prompt` token by token. */
const continueTokens = async (
  language: LanguageModel,
  prompt: readonly number[],
  { model, end, options }: { readonly model: Model; readonly end: number; readonly options: GenerateOptions },
): Promise<Omit<Generated, 'text'>> => {
  const sample = createSampler(options.temperature, options.seed);
  const tokens = [...prompt];
  const most = Math.min(prompt.length + options.maximumTokens, model.maxPositions);
  while (tokens.length < most) {
    const token = sample(await language.nextLogits(tokens));
    if (token === end) return { tokens: tokens.slice(prompt.length), stopped: 'end' };
    tokens.push(token);
  }
  return { tokens: tokens.slice(prompt.length), stopped: 'length' };
};

const withLanguageModel = async <T>(
  model: Model,
  adapter: PeftAdapter | null,
  { modelFolder, backend: name }: GenerateOptions,
  use: (language: LanguageModel) => Promise<T>,
): Promise<T> => {
  const backend = await openBackendOrThrow(name);
  const source = await openCheckpoint(modelFolder);
  try {
    if (E.isLeft(source)) throw new ExecFailure({ kind: 'badInput', files: [{ file: modelFolder, problems: source.left }] });
    const language = orBadInput(modelFolder)(await openLanguageModel({ model, source: source.right, backend, adapter }));
    return await use(language);
  } finally {
    if (E.isRight(source)) await source.right.close();
    backend.dispose();
  }
};

const generateAll = async (options: GenerateOptions): Promise<Generated> => {
  const { modelFolder, adapterFolder } = options;
  const model = orBadInput(modelFolder)(await readModelConfig(modelFolder));
  const codec = orBadInput(modelFolder)(await readTokenizer(modelFolder));
  const adapter = adapterFolder === null ? null : orBadInput(adapterFolder)(await readPeftFolder(adapterFolder, model));
  const prompt = await promptTokens(codec, options);
  checkPrompt(prompt, model);
  const generated = await withLanguageModel(model, adapter, options, (language) =>
    continueTokens(language, prompt, { model, end: codec.end, options }),
  );
  return { ...generated, text: codec.decode(generated.tokens) };
};

/** Continues a prompt with base + adapter. Left: folders that cannot be used together, or no backend. */
export const generate = (options: GenerateOptions): TaskEither<ExecError, Generated> =>
  catchExecFailure(() => generateAll(options));
