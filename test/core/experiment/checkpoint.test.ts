import { describe, expect, it } from 'vitest';
import { formatExperiment } from '../../../core/experiment/format.ts';
import { readExperiment } from '../../../core/experiment/read.ts';
import * as E from 'fp-ts/lib/Either.js';
import { context, minimal, problemsOf, read } from './file.ts';

describe('the checkpoint section', () => {
  it('has defaults for what it does not say', () => {
    expect(read(minimal).checkpoint).toEqual({ every: 20, keep: 2 });
    expect(read({ ...minimal, checkpoint: { every: 5 } }).checkpoint).toEqual({ every: 5, keep: 2 });
  });

  it('is read back from a saved experiment', () => {
    const experiment = read({ ...minimal, checkpoint: { every: 7, keep: 3 } });
    expect(readExperiment(formatExperiment(experiment), context)).toMatchObject(E.right({ checkpoint: { every: 7, keep: 3 } }));
  });

  it('says what is wrong with it', () => {
    expect(problemsOf({ ...minimal, checkpoint: { evry: 5, keep: 0 } })).toEqual([
      'checkpoint.keep: is 0; expected a whole number of at least 1',
      expect.stringMatching(/^checkpoint\.evry: unknown key; did you mean every\?/),
    ]);
  });
});
