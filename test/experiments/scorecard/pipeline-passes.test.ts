import { describe, expect, test } from 'vitest';
import { readPasses } from '../../../experiments/scorecard/pipeline-passes/rows.ts';
import { stagePassMs } from '../../../experiments/scorecard/pipeline-passes/stage-passes.ts';

describe('pass times of unequal stages', () => {
  test.each(readPasses())('of $id have the published mean, and inner stages are equal', ({ input }) => {
    const stages = stagePassMs(input, input.forwardMs);
    expect(stages).toHaveLength(input.stages);
    expect(stages.reduce((sum, ms) => sum + ms, 0) / input.stages).toBeCloseTo(input.forwardMs, 9);
    for (const ms of stages.slice(1, -1)) expect(ms).toBeCloseTo(stages[1]!, 9);
    expect(stages[0]).toBeLessThan(stages[1]!);
  });
});
