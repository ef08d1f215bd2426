import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as E from 'fp-ts/lib/Either.js';
import { formatPeftConfig, parsePeftConfig } from '../../../exec/adapter/peft-config.ts';

const good = JSON.parse(
  formatPeftConfig({ type: 'lora', rank: 4, alpha: 8, dropout: 0, targetModules: ['q_proj'] }, 'base'),
) as Record<string, unknown>;

test('any field of an adapter’s configuration is changed or the text is cut: an answer, never an exception', () => {
  const changes = fc.dictionary(fc.constantFrom(...Object.keys(good)), fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.integer()));
  fc.assert(
    fc.property(changes, fc.option(fc.nat(400), { nil: undefined }), (changed, length) => {
      const parsed = parsePeftConfig(JSON.stringify({ ...good, ...changed }).slice(0, length));
      if (E.isRight(parsed)) expect(parsed.right.rank).toBeGreaterThan(0);
      else expect(parsed.left[0].message).not.toBe('');
    }),
    { numRuns: 400 },
  );
});
