import { escapeText } from './escape.ts';
import { boxesOfStacks } from './stacks.ts';
import type { PathStyle, Surface, TextStyle } from './surface.ts';

/** A surface that collects SVG markup. */
export interface SvgSurface extends Surface {
  readonly markup: () => string;
}

const round = (value: number): number => Math.round(value * 100) / 100;

const attributes = (values: Readonly<Record<string, string | number | undefined>>): string =>
  Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}="${escapeText(String(typeof value === 'number' ? round(value) : value))}"`)
    .join('');

/** Boxes of one colour are one path: a fifth of the bytes of as many rectangles. */
const boxData = (boxes: readonly number[]): string => {
  let data = '';
  for (let b = 0; b < boxes.length; b += 4) {
    const [x, y, width, height] = boxes.slice(b, b + 4).map(round) as [number, number, number, number];
    data += `M${x},${y}h${width}v${height}h${-width}z`;
  }
  return data;
};

/** Corners as path data; sides along an axis name only the coordinate that changes. */
const polygonData = (points: readonly number[]): string => {
  let [x, y] = [round(points[0]!), round(points[1]!)];
  let data = `M${x},${y}`;
  for (let p = 2; p < points.length; p += 2) {
    const [nextX, nextY] = [round(points[p]!), round(points[p + 1]!)];
    if (nextX === x && nextY === y) continue;
    data += nextX === x ? `V${nextY}` : nextY === y ? `H${nextX}` : `L${nextX},${nextY}`;
    [x, y] = [nextX, nextY];
  }
  return `${data}z`;
};

const pathAttributes = ({ fill = 'none', stroke, width, dash }: PathStyle): string =>
  attributes({ fill, stroke, 'stroke-width': width, 'stroke-dasharray': dash });

const textAttributes = ({ size, fill, anchor, bold, halo }: TextStyle): string =>
  attributes({
    'font-size': size,
    fill,
    'text-anchor': anchor === 'start' ? undefined : anchor,
    'font-weight': bold === true ? 600 : undefined,
    stroke: halo,
    ...(halo === undefined ? {} : { 'stroke-width': 3, 'stroke-linejoin': 'round', 'paint-order': 'stroke' }),
  });

/** Coordinates are rounded to a hundredth of a pixel, so equal charts give equal text. */
export const createSvgSurface = (): SvgSurface => {
  const parts: string[] = [];
  const wrapped = (open: string, draw: () => void, close: string): void => {
    parts.push(open);
    draw();
    parts.push(close);
  };
  const boxes = (fill: string, flat: readonly number[]): void => {
    if (flat.length > 0) parts.push(`<path d="${boxData(flat)}"${attributes({ fill })}/>`);
  };
  return {
    boxes,
    stacks: (stacks) => {
      for (const [fill, flat] of boxesOfStacks(stacks)) boxes(fill, flat);
    },
    polygon: (fill, points) => {
      if (points.length > 0) parts.push(`<path d="${polygonData(points)}"${attributes({ fill })}/>`);
    },
    path: (data, style) => parts.push(`<path d="${data}"${pathAttributes(style)}/>`),
    text: (x, y, text, style) =>
      parts.push(`<text${attributes({ x, y })}${textAttributes(style)}>${escapeText(text)}</text>`),
    lower: (y, draw) => wrapped(`<g transform="translate(0,${round(y)})">`, draw, '</g>'),
    fade: (opacity, draw) => wrapped(`<g${attributes({ opacity })}>`, draw, '</g>'),
    markup: () => parts.join('\n'),
  };
};
