import type { Surface } from '../surface/surface.ts';

/** Boxes collected by colour, so that each colour is drawn once; a colour added later lies on top. */
export interface BoxBatch {
  readonly add: (fill: string, x: number, y: number, width: number, height: number) => void;
  readonly drawOn: (surface: Surface) => void;
}

export const createBoxBatch = (): BoxBatch => {
  const byFill = new Map<string, number[]>();
  return {
    add: (fill, x, y, width, height) => {
      const boxes = byFill.get(fill);
      if (boxes === undefined) byFill.set(fill, [x, y, width, height]);
      else boxes.push(x, y, width, height);
    },
    drawOn: (surface) => {
      for (const [fill, boxes] of byFill) surface.boxes(fill, boxes);
    },
  };
};
