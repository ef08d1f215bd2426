/**
 * Columns of equal width side by side, each a stack of colours: what a row of far too many spans is drawn as. A canvas
 * draws all of them as one small image, where tens of thousands of boxes would take longer than a frame.
 */
export interface Stacks {
  /** Left edge of the first column. */
  readonly x: number;
  readonly y: number;
  /** Of all columns together; the last one may be cut. */
  readonly width: number;
  readonly height: number;
  /** Of one column. */
  readonly columnWidth: number;
  readonly fills: readonly string[];
  /** Height of fill f in column c as a share of the whole, at `c · fills.length + f`. */
  readonly shares: Float64Array;
  /** Whether columns are stacked from the foot up or from the top down. */
  readonly from: 'foot' | 'top';
}

/** Boxes lower than this many pixels do not show: the next colour takes their share over, so that the sum is right. */
const LOWEST_BOX = 0.75;

type AddBox = (fill: number, x: number, y: number, width: number, height: number) => void;

/** Tells every box of the stacks; y runs from 0 to `height`. */
const eachBox = ({ width, columnWidth, fills, shares, from }: Stacks, height: number, add: AddBox): void => {
  for (let column = 0; column * fills.length < shares.length; column++) {
    const wide = Math.min(columnWidth, width - column * columnWidth);
    let placed = 0;
    let pending = 0;
    for (let fill = 0; fill < fills.length; fill++) {
      pending = Math.min(pending + shares[column * fills.length + fill]! * height, height - placed);
      if (pending < LOWEST_BOX) continue;
      placed += pending;
      add(fill, column * columnWidth, from === 'foot' ? height - placed : placed - pending, wide, pending);
      pending = 0;
    }
  }
};

/** The stacks as boxes by fill, for surfaces that draw nothing else. */
export const boxesOfStacks = (stacks: Stacks): ReadonlyMap<string, readonly number[]> => {
  const boxes = new Map<string, number[]>();
  eachBox(stacks, stacks.height, (fill, x, y, width, height) => {
    const own = boxes.get(stacks.fills[fill]!) ?? [];
    boxes.set(stacks.fills[fill]!, own);
    own.push(stacks.x + x, stacks.y + y, width, height);
  });
  return boxes;
};

/** `#rrggbb` as an opaque pixel in the byte order of image data. */
const pixelOf = (fill: string): number => {
  const rgb = Number.parseInt(fill.slice(1), 16);
  return (0xff000000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
};

/** The stacks as an image, a pixel wide for each column and so many pixels high. */
export const imageOfStacks = (stacks: Stacks, height: number): ImageData => {
  const image = new ImageData(stacks.shares.length / stacks.fills.length, height);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = stacks.fills.map(pixelOf);
  eachBox(stacks, height, (fill, x, y, _width, boxHeight) => {
    const end = Math.round(y + boxHeight);
    for (let line = Math.round(y); line < end; line++) pixels[line * image.width + Math.round(x / stacks.columnWidth)] = colours[fill]!;
  });
  return image;
};
