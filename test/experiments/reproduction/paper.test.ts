import { describe, expect, test } from 'vitest';
import { paperSeries, readPaperFigure, TASK_TOKENS } from '../../../experiments/reproduction/paper.ts';

describe('the numbers of the paper', () => {
  test('hours of Figure 7 are the tokens of a task at the throughput of Figure 12', () => {
    for (const panel of ['a', 'b', 'c']) {
      for (const [inHours, inTokens] of [['1F1B', '1F1B'], ['TP', 'TP'], ['mLoRA', 'LoRAPP']] as const) {
        const throughput = new Map(paperSeries(readPaperFigure(12), panel, inTokens));
        for (const [adapters, hours] of paperSeries(readPaperFigure(7), panel, inHours)) {
          const tokensPerSecond = throughput.get(adapters);
          if (typeof hours !== 'number' || typeof tokensPerSecond !== 'number') continue;
          expect(TASK_TOKENS / tokensPerSecond / 3600, `${panel} ${inHours} ${adapters}`).toBeCloseTo(hours, 3);
        }
      }
    }
  });

  test('training time of Figure 15 is launch and kernel time together', () => {
    for (const model of ['1.1B', '7B', '13B']) {
      const series = (panel: string) => paperSeries(readPaperFigure(15), `${panel}-${model}`, 'PEFT');
      series('a').forEach(([, training], index) => {
        expect(Number(series('b')[index]![1]) + Number(series('c')[index]![1])).toBeCloseTo(Number(training), 3);
      });
    }
  });

  test('a series that the file lacks is named', () => {
    expect(() => paperSeries(readPaperFigure(7), 'a', 'GPipe')).toThrow('Figure 7 (a) has no GPipe');
  });
});
