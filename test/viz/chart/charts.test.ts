import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAxis } from '../../../viz/chart/axis.ts';
import { chartSvg, drawChart, type Chart } from '../../../viz/chart/chart.ts';
import { groupedBars } from '../../../viz/chart/grouped-bars.ts';
import { heatMap } from '../../../viz/chart/heat-map.ts';
import { lineChart } from '../../../viz/chart/line-chart.ts';
import { scatterChart } from '../../../viz/chart/scatter-chart.ts';
import { textWidth } from '../../../viz/surface/text-width.ts';
import { LIGHT } from '../../../viz/theme.ts';
import { createRecordingSurface, type RecordingSurface } from '../recording-surface.ts';
import { BARS, CHARTS, HEAT, LINES, SCATTER } from './charts.ts';

const drawn = (chart: Chart, width = 448): RecordingSurface => {
  const surface = createRecordingSurface();
  drawChart(chart, { surface, theme: LIGHT, width });
  return surface;
};

const texts = (surface: RecordingSurface): string[] => surface.textsDrawn.map(({ text }) => text);

/** Left and right end of a text by the estimate that layout goes by. */
const extentOf = ({ x, text, style }: RecordingSurface['textsDrawn'][number]): readonly [number, number] => {
  const width = textWidth(text, style.size, style.bold);
  const left = style.anchor === 'middle' ? x - width / 2 : style.anchor === 'end' ? x - width : x;
  return [left, left + width];
};

describe('every chart', () => {
  it.each(CHARTS.map((chart) => [chart.text.title, chart] as const))('%s looks as it did', async (title, chart) => {
    const name = title.toLowerCase().replaceAll(' ', '-');
    await expect(chartSvg(chart)).toMatchFileSnapshot(`../snapshots/chart-${name}.svg`);
  });

  it.each(CHARTS.map((chart) => [chart.text.title, chart] as const))(
    '%s has no two texts on each other and none outside, at any width',
    (_, chart) => {
      for (const width of [280, 330, 448, 900]) {
        const all = drawn(chart, width).textsDrawn.filter(({ style }) => style.halo === undefined);
        for (const [i, one] of all.entries()) {
          const [left, right] = extentOf(one);
          expect(left, `${one.text} at ${width}`).toBeGreaterThan(-12);
          expect(right, `${one.text} at ${width}`).toBeLessThan(width + 12);
          for (const other of all.slice(i + 1)) {
            if (Math.abs(other.y - one.y) >= Math.min(one.style.size, other.style.size)) continue;
            const [otherLeft, otherRight] = extentOf(other);
            const apart = otherLeft >= right - 1 || left >= otherRight - 1;
            expect(apart, `${one.text} and ${other.text} at ${width}`).toBe(true);
          }
        }
      }
    },
  );

  it('says its values in words', () => {
    expect(groupedBars(BARS).description).toContain('FSDP: TinyLlama-1.1B 3,100, Llama-2-7B 1,520, Llama-2-13B none');
    expect(lineChart(LINES).description).toContain('LoRAPP: from 600 at 1 to 33,000 at 64');
    expect(heatMap(HEAT).description).toContain('2 devices: 1 0.2');
    expect(scatterChart(SCATTER).description).toContain('demo: 2 points, errors from −9.1% to +4.0%');
  });

  it('shows hostile names as text', () => {
    const hostile = '</text><script>alert(1)</script>';
    const svg = chartSvg(groupedBars({ ...BARS, title: hostile, groups: [hostile, hostile, hostile], groupName: hostile }));
    expect(svg).not.toContain('<script');
  });
});

describe('grouped bars', () => {
  it('are as high as their values', () => {
    const surface = drawn(groupedBars({ ...BARS, series: [{ name: 'only', values: [100, 50, 25] }] }));
    const heights = surface.boxesDrawn.map(({ height }) => height);
    expect(heights[1]! / heights[0]!).toBeCloseTo(0.5, 6);
    expect(heights[2]! / heights[0]!).toBeCloseTo(0.25, 6);
  });

  it('write what is missing and why', () => {
    expect(texts(drawn(groupedBars(BARS)))).toContain('OOM');
    expect(texts(drawn(groupedBars(BARS), 290))).toContain('OOM');
  });

  it('name the references in the legend only where there are any', () => {
    const plain = groupedBars({ ...BARS, series: BARS.series.map(({ name, values }) => ({ name, values })) });
    expect(plain.legend(LIGHT).map(({ label }) => label)).toEqual(['FSDP', '1F1B', 'LoRAPP']);
    expect(groupedBars(BARS).legend(LIGHT).at(-1)?.label).toBe('reference');
  });
});

describe('a line', () => {
  it('has a gap where a value is missing', () => {
    const surface = drawn(lineChart({ ...LINES, series: [{ name: 'a', points: [[1, 1], [2, null], [3, 2], [4, 3]] }] }));
    const curve = surface.pathsDrawn.find((data) => /^M[^z]*M[^z]*$/.test(data) && !data.includes('h') && data.includes('L'));
    expect(curve).toBeDefined();
  });
});

describe('predictions', () => {
  it('lie on the line of equality where they are right, on equal and unequal pixels', () => {
    const exact = { ...SCATTER, tolerance: null, series: [{ name: 'a', points: [{ measured: 7, predicted: 7 }, { measured: 40, predicted: 40 }] }] };
    const surface = drawn(scatterChart(exact));
    const equality = surface.pathsDrawn.find((data) => /^M[\d.,]+L[\d.,]+$/.test(data) && slopeOf(data) < 0);
    expect(equality).toBeDefined();
    const [x1, y1, x2, y2] = numbersOf(equality!);
    for (const circle of surface.pathsDrawn.filter((data) => data.includes('a3.4'))) {
      const [left, y] = numbersOf(circle);
      const x = left! + 3.4;
      if (y! < y1! + 1 && y! > y2! - 1) expect(y1! + ((x - x1!) * (y2! - y1!)) / (x2! - x1!)).toBeCloseTo(y!, 0);
    }
  });
});

const numbersOf = (data: string): number[] => [...data.matchAll(/-?\d+(?:\.\d+)?/g)].map(([text]) => Number(text));
const slopeOf = (data: string): number => {
  const [x1, y1, x2, y2] = numbersOf(data);
  return (y2! - y1!) / (x2! - x1!);
};

describe('an axis', () => {
  const quantity = fc.record({ scale: fc.constantFrom('linear', 'log', 'log2'), fromZero: fc.boolean() });
  const value = fc.double({ min: 1e-9, max: 1e12, noNaN: true });

  it('has no ticks between the numbers of what is counted', () => {
    for (const most of [1, 2, 3, 4, 7]) {
      const { ticks } = createAxis({ label: 'devices', unit: null }, [1, most], [0, 600], 'horizontal');
      expect(ticks.map(({ label }) => Number(label.replace(',', ''))).filter((tick) => !Number.isInteger(tick))).toEqual([]);
      expect(ticks.length).toBeGreaterThan(1);
    }
  });

  it('reaches from 0 to 1 where there is nothing to show', () => {
    const { ticks } = createAxis({ label: 'throughput', unit: 'tokens/s' }, [], [200, 0], 'vertical');
    expect([ticks[0]!.label, ticks.at(-1)!.label]).toEqual(['0', '1']);
  });

  it('holds every value and labels at least one place, whatever the values', () => {
    fc.assert(
      fc.property(quantity, fc.array(value, { maxLength: 8 }), (kind, values) => {
        const axis = createAxis({ label: 'v', unit: null, ...kind }, values, [0, 400], 'vertical');
        expect(axis.ticks.length).toBeGreaterThan(0);
        for (const at of values.map(axis.position)) {
          expect(at).toBeGreaterThanOrEqual(-1e-6);
          expect(at).toBeLessThanOrEqual(400 + 1e-6);
        }
        for (const [i, { at }] of axis.ticks.slice(1).entries()) expect(Math.abs(at - axis.ticks[i]!.at)).toBeGreaterThan(11);
      }),
    );
  });

  it('labels doublings where counts double', () => {
    const axis = createAxis({ label: 'devices', unit: null, scale: 'log2' }, [1, 64], [0, 600], 'horizontal');
    expect(axis.ticks.map(({ label }) => label)).toEqual(['1', '2', '4', '8', '16', '32', '64']);
  });
});

describe('an axis of whole numbers', () => {
  it('has ticks at whole numbers only', () => {
    const labelsOf = (values: readonly number[]): string[] =>
      createAxis({ label: 'adapters', unit: null, fromZero: false }, values, [0, 400], 'horizontal').ticks.map(({ label }) => label);
    expect(labelsOf([1, 2])).toEqual(['1', '2']);
    expect(labelsOf([1, 2, 3, 4])).toEqual(['1', '2', '3', '4']);
    expect(labelsOf([1]).every((label) => Number.isInteger(Number(label)))).toBe(true);
  });
});

describe('an axis of nothing', () => {
  it('goes from 0 to 1', () => {
    const { position } = createAxis({ label: 'time', unit: 'h' }, [], [100, 0], 'vertical');
    expect([position(0), position(1)]).toEqual([100, 0]);
  });
});
