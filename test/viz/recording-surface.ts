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
  return {
    boxesDrawn,
    textsDrawn,
    pathsDrawn,
    boxes: (fill, boxes) => {
      for (let b = 0; b < boxes.length; b += 4) {
        boxesDrawn.push({
          fill,
          x: boxes[b]!,
          y: boxes[b + 1]! + lowered,
          width: boxes[b + 2]!,
          height: boxes[b + 3]!,
        });
      }
    },
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
