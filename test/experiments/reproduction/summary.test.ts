import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { completionClaims } from '../../../experiments/reproduction/claims.ts';
import { readConstants } from '../../../experiments/reproduction/constants.ts';
import type { EvaluatedFigure, EvaluatedPoint } from '../../../experiments/reproduction/evaluate.ts';
import { valueOf, type Series } from '../../../experiments/reproduction/figure.ts';
import { FIGURES } from '../../../experiments/reproduction/figures.ts';
import { readPaperFigure } from '../../../experiments/reproduction/paper.ts';
import { reproductionPage } from '../../../experiments/reproduction/report.ts';
import { claimsInWords, summarizeFigures, summaryMarkdown } from '../../../experiments/reproduction/summary.ts';

const figure = FIGURES.find(({ number }) => number === 7)!;
const panel = figure.panels[0]!;
const series = (name: string): Series => panel.series.find((each) => each.name === name)!;
const point = (x: number, paper: number | 'OOM', ours: number | null): EvaluatedPoint => ({
  x,
  paper,
  ours: ours === null ? { kind: 'outOfMemory', where: 'device0 lacks 2.0 GB for activations' } : valueOf(ours),
  error: typeof paper === 'number' && ours !== null ? (ours - paper) / paper : null,
});

const EVALUATED: EvaluatedFigure = {
  figure,
  paper: readPaperFigure(7),
  panels: [
    {
      panel,
      series: [
        { series: series('1F1B'), points: [point(1, 10, 11), point(2, 10, 9)] },
        { series: series('FSDP'), points: [point(1, 'OOM', null), point(2, 'OOM', 5)] },
        { series: series('mLoRA'), points: [point(1, 10, 10), point(2, 6, 4.5)] },
      ],
    },
  ],
};

describe('summary of a reproduction', () => {
  test('errors are over the points where both have numbers, agreement over those the paper has', () => {
    expect(summarizeFigures([EVALUATED])).toMatchObject([
      { series: '1F1B', points: 2, mape: 0.1, bias: 0, fitAgrees: 2, ofPoints: 2 },
      { series: 'FSDP', points: 0, mape: null, fitAgrees: 1, ofPoints: 2 },
      { series: 'mLoRA', points: 2, mape: 0.125, fitAgrees: 2, ofPoints: 2 },
    ]);
  });

  test('claims compare what mLoRA saves at the most adapters', () => {
    const claims = completionClaims([EVALUATED]);
    expect(claims).toEqual([{ panel: panel.title, against: '1F1B', paper: 0.4, ours: 0.5 }]);
    expect(claimsInWords([...claims, { ...claims[0]!, ours: 0.36 }])).toBe('1 of 2 within 5 points.');
    expect(summaryMarkdown([EVALUATED])).toContain('| 40.00 % | 50.00 % | +10.0 |');
  });

  test('the report is one page that loads nothing and says what is open', () => {
    const page = reproductionPage([EVALUATED]);
    expect(page).not.toMatch(/(src|href)="(?!data:|#)/);
    expect(page).toContain('OOM: device0 lacks 2.0 GB for activations');
    for (const open of figure.leftOpen) expect(page).toContain(open.replaceAll('&', '&amp;'));
  });

  test('the constants of the figures are those that the scorecard fits', () => {
    const card = JSON.parse(readFileSync(join(import.meta.dirname, '../../../experiments/scorecard/scorecard.json'), 'utf8')) as {
      readonly name: string;
      readonly constants: readonly { readonly name: string; readonly value: number }[];
    }[];
    const constantsOf = (dataSet: string) => card.find(({ name }) => name === dataSet)!.constants;
    const fitted = constantsOf('paper-pipelines').map(({ value }) => value);
    const { microbatches, release, loss, pipelineGigabytesPerSecond, collectiveGigabytesPerSecond } = readConstants();
    expect([microbatches, Number(release === 'greedy'), Number(loss === 'head'), pipelineGigabytesPerSecond, collectiveGigabytesPerSecond]).toEqual(fitted);
    expect(readConstants().launchMicroseconds).toBe(constantsOf('paper-single-gpu').find(({ name }) => name === 'launch of a kernel')!.value);
  });
});
