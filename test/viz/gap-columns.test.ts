import { expect, it } from 'vitest';
import { splitIdle } from '../../core/explain/idle.ts';
import { packGaps, unpackGaps } from '../../viz/page/playground/gap-columns.ts';
import { pipelineTrace } from './traces.ts';

it('gaps come out of their columns as they went in', () => {
  const { gaps } = splitIdle(pipelineTrace());
  expect(gaps.length).toBeGreaterThan(0);
  expect(unpackGaps(packGaps(gaps))).toEqual(gaps);
});
