import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SCORECARD } from '../../../experiments/scorecard/data-sets.ts';
import { formatScorecard, scorecardFiles } from '../../../experiments/scorecard/report.ts';
import { score } from '../../../experiments/scorecard/score.ts';

const committed = (name: string): string =>
  readFileSync(new URL(`../../../experiments/scorecard/${name}`, import.meta.url), 'utf8');

describe('the committed scorecard', () => {
  const scores = SCORECARD.map(({ use }) => use(score));
  const files = Object.entries(scorecardFiles(scores));

  test.each(files)('%s is what `mlora validate` writes', (name, text) => {
    expect(text).toBe(committed(name));
  });

  test('every data set is named once and has a line in the table', () => {
    expect(scores.map(({ name }) => name)).toEqual(SCORECARD.map(({ name }) => name));
    expect(new Set(scores.map(({ name }) => name)).size).toBe(scores.length);
    const lines = formatScorecard(scores).split('\n');
    for (const { name, measures } of scores) expect(lines.filter((line) => line.startsWith(`${name} `))).toHaveLength(measures.length);
  });

  test('no data set fits as many constants as it has rows to fit on', () => {
    for (const { constants, rows } of scores) expect(constants.length === 0 || constants.length < rows.fit).toBe(true);
  });
});
