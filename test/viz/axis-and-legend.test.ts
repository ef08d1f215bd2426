import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitText, textWidth, wrapText } from '../../viz/surface/text-width.ts';
import { LIGHT } from '../../viz/theme.ts';
import { xOf } from '../../viz/timeline/frame.ts';
import { adapterLegend, drawLegend, flowLegend, kindLegend } from '../../viz/timeline/legend.ts';
import { ticksOf, timeTicks } from '../../viz/timeline/time-axis.ts';
import { formatMoment } from '../../viz/timeline/moment.ts';
import { createRecordingSurface } from './recording-surface.ts';
import { pipelineTrace } from './traces.ts';

describe('the time axis', () => {
  it.each([
    [0, 4e9, 's', ['0', '1', '2', '3', '4']],
    [0, 20e6, 'ms', ['0', '5', '10', '15', '20']],
    [0, 800, 'ns', ['0', '200', '400', '600', '800']],
    [12.3456e9, 12.3458e9, 's', ['12.34560', '12.34565', '12.34570', '12.34575', '12.34580']],
  ] as const)('labels %d to %d ns in %s', (startNs, endNs, unit, labels) => {
    const ticks = timeTicks(startNs, endNs, 4);
    expect(ticks.unit).toBe(unit);
    expect(ticks.ticks.map(({ label }) => label)).toEqual(labels);
  });

  it('keeps its ticks inside the window and their labels apart', () => {
    const window = fc.record({
      width: fc.integer({ min: 120, max: 2000 }),
      startNs: fc.integer({ min: 0, max: 1e12 }),
      length: fc.integer({ min: 100, max: 1e12 }),
    });
    fc.assert(
      fc.property(window, ({ width, startNs, length }) => {
        const frame = { left: 0, width, startNs, endNs: startNs + length };
        const { ticks } = ticksOf(frame);
        for (const [i, { timeNs, label }] of ticks.entries()) {
          expect(xOf(frame, timeNs)).toBeGreaterThanOrEqual(-0.01);
          expect(xOf(frame, timeNs)).toBeLessThanOrEqual(width + 0.01);
          const next = ticks[i + 1];
          if (next === undefined) continue;
          const room = xOf(frame, next.timeNs) - xOf(frame, timeNs);
          expect(room).toBeGreaterThan((textWidth(label, 10.5) + textWidth(next.label, 10.5)) / 2);
        }
      }),
    );
  });
});

describe('a moment', () => {
  it('is written to the nanosecond', () => {
    expect([0, 1, 2.5e6, 17_043_215_123].map(formatMoment)).toEqual([
      '0 ms',
      '0.000001 ms',
      '2.5 ms',
      '17.043215123 s',
    ]);
  });
});

describe('a legend', () => {
  it('never overlaps nor leaves its width, whatever the names', () => {
    const names = fc.array(fc.string({ unit: 'grapheme', maxLength: 60 }), { maxLength: 30 });
    fc.assert(
      fc.property(names, fc.integer({ min: 80, max: 1200 }), (adapters, width) => {
        const { places, height } = flowLegend(adapterLegend(adapters, LIGHT), width);
        const ends = places.map(({ x, label }) => x + 19 + textWidth(label, 11));
        for (const [i, { x, y }] of places.entries()) {
          expect(ends[i]).toBeLessThanOrEqual(width);
          expect(y).toBeLessThan(height);
          if (i > 0 && places[i - 1]!.y === y) expect(x).toBeGreaterThan(ends[i - 1]!);
        }
      }),
    );
  });

  it('names the first 24 adapters and counts the others', () => {
    const labels = adapterLegend(
      Array.from({ length: 40 }, (_, i) => `a${i}`),
      LIGHT,
    ).map(({ label }) => label);
    expect(labels).toHaveLength(25);
    expect(labels.at(-1)).toBe('and 16 more');
  });

  it('shows the kinds of span there are, and idle time', () => {
    expect(kindLegend([pipelineTrace()], LIGHT).map(({ label }) => label)).toEqual([
      'forward (F)',
      'backward (B)',
      'optimizer step (S)',
      'idle (bubble)',
    ]);
  });

  it('draws an adapter in both of its colours', () => {
    const surface = createRecordingSurface();
    drawLegend(surface, adapterLegend(['law'], LIGHT), LIGHT, 300);
    expect(surface.boxesDrawn.map(({ fill }) => fill)).toEqual([LIGHT.adapters[0]!.tint, LIGHT.adapters[0]!.main]);
  });
});

describe('text', () => {
  const strings = fc.string({ unit: 'grapheme', maxLength: 50 });

  it('is cut to what fits, and not at all where it fits', () => {
    fc.assert(
      fc.property(strings, fc.integer({ min: 0, max: 300 }), (text, width) => {
        const fitted = fitText(text, 12, width);
        expect(textWidth(fitted, 12)).toBeLessThanOrEqual(width);
        if (textWidth(text, 12) <= width) expect(fitted).toBe(text);
        else expect(fitted === '' || fitted.endsWith('…')).toBe(true);
      }),
    );
  });

  it('wraps into lines that fit and loses no word that fits', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { maxLength: 20 }),
        fc.integer({ min: 100, max: 300 }),
        (words, width) => {
          const lines = wrapText(words.join(' '), 12, width);
          expect(lines.join(' ')).toBe(words.join(' '));
          expect(lines.every((line) => textWidth(line, 12) <= width)).toBe(true);
        },
      ),
    );
  });
});
