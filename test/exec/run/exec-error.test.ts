import { describe, expect, it } from 'vitest';
import { problem } from '../../../core/problem.ts';
import { formatExecError, type FileProblems } from '../../../exec/exec-error.ts';

describe('an error of a run, for people', () => {
  it('names the dead rank, the cause and its last words', () => {
    const text = formatExecError({ kind: 'rankDied', rank: 2, cause: 'it exited with code 3', lastWords: '\nno such library\n' });
    expect(text).toMatch(/^rank 2 died: it exited with code 3\. .*Run the same command with --resume.*\nIts last words:\nno such library$/);
  });

  it('leaves last words out where there are none', () => {
    expect(formatExecError({ kind: 'rankDied', rank: 0, cause: 'it was ended by SIGTERM', lastWords: '' })).not.toContain('last words');
  });

  it('lists the problems of all files and says how many it does not show', () => {
    const rest = Array.from({ length: 24 }, (_, index) => problem(`line ${index + 2}`, 'is not JSON'));
    const files: FileProblems[] = [
      { file: 'a.jsonl', problems: [problem('', 'holds no rows')] },
      { file: 'b.jsonl', problems: [problem('line 1', 'is not JSON'), ...rest] },
    ];
    const lines = formatExecError({ kind: 'badInput', files }).split('\n');
    expect(lines).toHaveLength(1 + 20 + 1);
    expect([lines[0], lines[1], lines.at(-1)]).toEqual(['a.jsonl: holds no rows', 'b.jsonl: line 1: is not JSON', 'b.jsonl: and 5 more']);
  });

  it('counts iterations from one', () => {
    expect(formatExecError({ kind: 'notANumber', adapter: 'sums', iteration: 4, loss: NaN })).toContain('iteration 5 is NaN');
  });
});
