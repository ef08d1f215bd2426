import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, test } from 'vitest';
import { repeatJobs } from '../../../experiments/sweep/override.ts';

describe('jobs.count', () => {
  test('repeats the jobs of the base in turn', () => {
    expect(repeatJobs({ jobs: [{ name: 'a' }, { name: 'b' }] }, 5)).toEqual(
      E.right({ jobs: [{ name: 'a' }, { name: 'b' }, { name: 'a-2' }, { name: 'b-2' }, { name: 'a-3' }] }),
    );
    expect(repeatJobs({ jobs: [{ name: 'a' }, { name: 'b' }] }, 1)).toEqual(E.right({ jobs: [{ name: 'a' }] }));
  });

  test.each([0, 1.5, 'two', null])('refuses %j', (count) => {
    expect(repeatJobs({ jobs: [{}] }, count)).toEqual(E.left('expected a whole number of at least 1'));
  });
});
