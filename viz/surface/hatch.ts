import { lineData } from './surface.ts';

const HATCH_PITCH = 5;

/** Line width that leaves more of a box than it covers. */
export const HATCH_WIDTH = 1;

const round = (value: number): number => Math.round(value * 100) / 100;

/** Slanted lines over a box (x, y, width, height) as path data; they go on from box to box of a row. */
export const hatchData = ([x, y, width, height]: readonly [number, number, number, number]): string => {
  const lines: string[] = [];
  const [right, bottom] = [x + width, y + height];
  const first = Math.ceil((x - height) / HATCH_PITCH) * HATCH_PITCH;
  for (let foot = first; foot < right; foot += HATCH_PITCH) {
    const from = Math.max(foot, x);
    const to = Math.min(foot + height, right);
    if (to > from) lines.push(lineData(round(from), round(bottom - (from - foot)), round(to), round(bottom - (to - foot))));
  }
  return lines.join('');
};
