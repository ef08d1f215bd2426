import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { resolveSetup } from '../../core/experiment/read.ts';
import { SUBMISSION } from '../../serve/http/documents.ts';
import { readSubmission, type ServerSetup } from '../../serve/submission.ts';
import { context } from '../core/experiment/file.ts';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
}

const setup = (): ServerSetup => {
  const experiment = resolveSetup({ name: 'test', model: './tiny', cluster: '2xcpu' }, context);
  if (E.isLeft(experiment)) throw new Error('the setup is sound');
  return { experiment: experiment.right, defaults: undefined };
};

/** Paths of keys that the reader does not know, of a body that has these and nothing else right. */
const unknownIn = (body: unknown): readonly string[] => {
  const read = readSubmission(body, setup());
  return E.isLeft(read) ? read.left.filter(({ message }) => message.startsWith('unknown key')).map(({ path }) => path) : [];
};

const keysOf = (schema: Schema): readonly string[] =>
  Object.keys(schema.properties ?? schema.anyOf?.find(({ properties }) => properties !== undefined)?.properties ?? {});

const part = (key: string): Schema => (SUBMISSION as Schema).properties![key]!;
const valued = (keys: readonly string[]): Record<string, unknown> => Object.fromEntries(keys.map((key) => [key, {}]));

describe('the OpenAPI document', () => {
  it('names no key of a job that the reader does not know', () => {
    expect(unknownIn(valued(keysOf(SUBMISSION as Schema)))).toEqual([]);
    expect(unknownIn({ optimizer: valued(keysOf(part('optimizer')).filter((key) => key !== 'momentum')), evaluate: valued(keysOf(part('evaluate'))), patience: valued(keysOf(part('patience'))), halving: valued(keysOf(part('halving'))) })).toEqual([]);
    expect(unknownIn({ optimizer: { type: 'sgd', momentum: 0 } })).toEqual([]);
    expect(unknownIn({ adapter: { type: 'vera', rank: 1, projectionSeed: 1, initialScale: 1, dropout: 0, targetModules: [] } })).toEqual([]);
    expect(unknownIn({ data: valued(keysOf(part('data'))) })).toEqual([]);
  });

  it.each([
    ['', {}, SUBMISSION as Schema, []],
    ['adapter', { rank: 1 }, part('adapter'), ['projectionSeed', 'initialScale']],
    ['optimizer', {}, part('optimizer'), ['momentum']],
    ['data', { train: 'x' }, part('data'), ['rows', 'heldoutRows']],
  ])('names every key that the reader knows: %s', (path, sound, schema, others) => {
    const odd = { ...sound, '§': 1 };
    const read = readSubmission(path === '' ? odd : { [path]: odd }, setup());
    const message = E.isLeft(read) ? read.left.find((each) => each.path.endsWith('["§"]'))!.message : '';
    const known = message.replace('unknown key; known keys: ', '').split(', ');
    expect(known.length).toBeGreaterThan(3);
    expect([...keysOf(schema)].filter((key) => !['user', ...others].includes(key)).sort()).toEqual([...known].sort());
  });
});
