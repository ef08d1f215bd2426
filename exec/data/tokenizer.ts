import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import * as A from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { z } from 'zod';
import { problem, show, type Problem, type Problems } from '../../core/problem.ts';

/** Text to token ids and back, without special tokens, and the ids that open and close a training row. */
export interface TextCodec {
  readonly encode: (text: string) => readonly number[];
  readonly decode: (tokens: readonly number[]) => string;
  /** Token in front of every row; null where the model's own tokenizer adds none. */
  readonly begin: number | null;
  readonly end: number;
}

/** What is used of the library's tokenizer; its own declarations do not resolve under Node's module rules. */
interface LibraryTokenizer {
  readonly encode: (text: string, options?: { readonly add_special_tokens: boolean }) => { readonly ids: readonly number[] };
  readonly decode: (tokens: readonly number[]) => string;
  readonly token_to_id: (token: string) => number | undefined;
}
const LibraryTokenizer = Tokenizer as unknown as new (json: unknown, config: unknown) => LibraryTokenizer;

const specialToken = z.union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content)]);
const tokenizerConfig = z.looseObject({
  bos_token: specialToken.nullish(),
  eos_token: specialToken,
  add_bos_token: z.boolean().nullish(),
});
type TokenizerConfig = z.infer<typeof tokenizerConfig>;

const readJson = async (path: string, file: string): Promise<E.Either<Problem, unknown>> => {
  try {
    return E.right(JSON.parse(await readFile(path, 'utf8')) as unknown);
  } catch (error) {
    return E.left(problem(file, `cannot be read as JSON: ${String(error)}`));
  }
};

const parseConfig = (json: unknown): E.Either<Problems, TokenizerConfig> => {
  const parsed = tokenizerConfig.safeParse(json);
  if (parsed.success) return E.right(parsed.data);
  const [first, ...rest] = parsed.error.issues.map((issue) =>
    problem(['tokenizer_config.json', ...issue.path].join('.'), issue.message),
  );
  return E.left([first!, ...rest]);
};

const buildTokenizer = (json: unknown, config: TokenizerConfig): E.Either<Problem, LibraryTokenizer> =>
  E.tryCatch(
    () => new LibraryTokenizer(json, config),
    (error) => problem('tokenizer.json', `is not a tokenizer we can use: ${String(error)}`),
  );

/** A row opens with the beginning-of-text token exactly when the model's own tokenizer puts it there. */
const findBegin = (tokenizer: LibraryTokenizer, config: TokenizerConfig): number | null => {
  if (config.bos_token === undefined || config.bos_token === null) return null;
  const id = tokenizer.token_to_id(config.bos_token);
  if (id === undefined) return null;
  return config.add_bos_token === true || tokenizer.encode('').ids[0] === id ? id : null;
};

const asCodec = (tokenizer: LibraryTokenizer, config: TokenizerConfig): E.Either<Problem, TextCodec> => {
  const end = tokenizer.token_to_id(config.eos_token);
  if (end === undefined) {
    return E.left(problem('tokenizer_config.json.eos_token', `${show(config.eos_token)} is not a token of tokenizer.json`));
  }
  return E.right({
    encode: (text) => tokenizer.encode(text, { add_special_tokens: false }).ids,
    decode: (tokens) => tokenizer.decode(tokens),
    begin: findBegin(tokenizer, config),
    end,
  });
};

const one = E.mapLeft((found: Problem): Problems => [found]);

/**
 * Tokenizer of a model folder in Hugging Face layout, from `tokenizer.json` and `tokenizer_config.json`. Problems
 * start with the name of the file they are in.
 */
export const readTokenizer = async (folder: string): Promise<E.Either<Problems, TextCodec>> => {
  const [json, configJson] = await Promise.all([
    readJson(join(folder, 'tokenizer.json'), 'tokenizer.json'),
    readJson(join(folder, 'tokenizer_config.json'), 'tokenizer_config.json'),
  ]);
  if (E.isLeft(json) || E.isLeft(configJson)) return E.left(A.lefts([json, configJson]) as [Problem, ...Problem[]]);
  const config = parseConfig(configJson.right);
  if (E.isLeft(config)) return config;
  const tokenizer = one(buildTokenizer(json.right, config.right));
  return E.isLeft(tokenizer) ? tokenizer : one(asCodec(tokenizer.right, config.right));
};
