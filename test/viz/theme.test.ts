import { lab, rgb } from 'd3';
import { describe, expect, it } from 'vitest';
import { PAGE_THEME, THEMES, themeVariables } from '../../viz/theme.ts';

/** Relative luminance, WCAG 2.2. */
const luminance = (colour: string): number => {
  const { r, g, b } = rgb(colour);
  const [red, green, blue] = [r, g, b].map((c) =>
    c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
  ) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
};

const contrast = (a: string, b: string): number => {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
};

/** Full colour deficiencies as matrices on linear RGB: Machado, Oliveira & Fernandes 2009, table 1, severity 1. */
const DEFICIENCIES = {
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
} as const;

const linear = (c: number): number => (c / 255) ** 2.2;
const gamma = (c: number): number => 255 * Math.min(Math.max(c, 0), 1) ** (1 / 2.2);

const seenWith = (matrix: readonly (readonly number[])[], colour: string): string => {
  const { r, g, b } = rgb(colour);
  const light = [r, g, b].map(linear);
  const [red, green, blue] = matrix.map((row) =>
    gamma(row.reduce((sum, weight, i) => sum + weight * light[i]!, 0)),
  ) as [number, number, number];
  return rgb(red, green, blue).formatHex();
};

/** Distance in CIELAB; 2.3 is just noticeable. */
const distance = (a: string, b: string): number => {
  const [x, y] = [lab(a), lab(b)];
  return Math.hypot(x.l - y.l, x.a - y.a, x.b - y.b);
};

describe.each(Object.entries(THEMES))('the %s theme', (_, theme) => {
  it('prints labels with a contrast of 4.5 at least', () => {
    for (const { tint, main, onMain } of theme.adapters) {
      expect(contrast(theme.ink, tint)).toBeGreaterThan(4.5);
      expect(contrast(onMain, main)).toBeGreaterThan(4.5);
    }
    for (const colour of [theme.ink, theme.muted, theme.alarm])
      expect(contrast(colour, theme.paper)).toBeGreaterThan(4.5);
  });

  it.each(Object.entries(DEFICIENCIES))('keeps adapters apart under %s', (_deficiency, matrix) => {
    const seen = theme.adapters.map(({ main }) => seenWith(matrix, main));
    const pairs = seen.flatMap((a, i) => seen.slice(i + 1).map((b) => distance(a, b)));
    expect(Math.min(...pairs)).toBeGreaterThan(12);
    const firstFour = seen.slice(0, 4).flatMap((a, i) => seen.slice(i + 1, 4).map((b) => distance(a, b)));
    expect(Math.min(...firstFour)).toBeGreaterThan(15);
  });

  it('keeps forward and backward of an adapter, and work and idle time, apart', () => {
    for (const { tint, main } of theme.adapters) {
      expect(distance(tint, main)).toBeGreaterThan(20);
      expect(distance(tint, theme.idle)).toBeGreaterThan(8);
    }
  });

  it('defines every custom property that the page draws with', () => {
    const declared = themeVariables(theme);
    const used = JSON.stringify(PAGE_THEME).match(/--[\w-]+/g) ?? [];
    expect(used.length).toBeGreaterThan(30);
    expect(used.filter((name) => !declared.includes(`${name}:`))).toEqual([]);
  });
});
