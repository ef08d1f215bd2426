import { boxesOfStacks } from '../../viz/surface/stacks.ts';
import type { Surface, TextStyle } from '../../viz/surface/surface.ts';

export interface RecordedBox {
  readonly fill: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface RecordedText {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly style: TextStyle;
}

/** A surface that remembers what was drawn on it, for tests that ask where things are. */
export interface RecordingSurface extends Surface {
  readonly boxesDrawn: readonly RecordedBox[];
  readonly textsDrawn: readonly RecordedText[];
  readonly pathsDrawn: readonly string[];
}

export const createRecordingSurface = (): RecordingSurface => {
  const boxesDrawn: RecordedBox[] = [];
  const textsDrawn: RecordedText[] = [];
  const pathsDrawn: string[] = [];
  let lowered = 0;
  const boxes: Surface['boxes'] = (fill, flat) => {
    for (let b = 0; b < flat.length; b += 4) {
      const [x, y, width, height] = flat.slice(b, b + 4) as [number, number, number, number];
      boxesDrawn.push({ fill, x, y: y + lowered, width, height });
    }
  };
  return {
    boxesDrawn,
    textsDrawn,
    pathsDrawn,
    boxes,
    stacks: (stacks) => {
      for (const [fill, flat] of boxesOfStacks(stacks)) boxes(fill, flat);
    },
    polygon: (_fill, points) => pathsDrawn.push(points.join(' ')),
    path: (data) => pathsDrawn.push(data),
    text: (x, y, text, style) => textsDrawn.push({ x, y: y + lowered, text, style }),
    lower: (y, draw) => {
      lowered += y;
      draw();
      lowered -= y;
    },
    fade: (_opacity, draw) => draw(),
  };
};
