import { describe, expect, test } from 'vitest';
import { chartGridSvg } from '../../../viz/chart/chart-grid.ts';
import { CHARTS } from './charts.ts';

describe('charts in a grid', () => {
  test('stand beside each other, and rows below the tallest chart of the row above', () => {
    const svg = chartGridSvg(CHARTS, { columns: 2 });
    const [width, height] = /width="(\d+)" height="(\d+)"/.exec(svg)!.slice(1).map(Number) as [number, number];
    expect(width).toBe(2 * 300 + 32 + 32);
    const rows = new Set([...svg.matchAll(/translate\(332,(\d+)\)/g)].map(([, y]) => Number(y)));
    expect(rows.size).toBe(2);
    expect(Math.max(...rows)).toBeLessThan(height);
  });

  test('has the titles and descriptions of all charts', () => {
    const svg = chartGridSvg(CHARTS, { columns: 4 });
    for (const { text } of CHARTS) expect(svg).toContain(text.title);
  });
});
