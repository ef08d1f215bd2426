import { imageOfStacks, type Stacks } from './stacks.ts';
import { FONT_FAMILY, type PathStyle, type Surface, type TextStyle } from './surface.ts';

const drawPath = (context: CanvasRenderingContext2D, data: string, style: PathStyle): void => {
  const path = new Path2D(data);
  if (style.fill !== undefined) {
    context.fillStyle = style.fill;
    context.fill(path);
  }
  if (style.stroke === undefined) return;
  context.strokeStyle = style.stroke;
  context.lineWidth = style.width ?? 1;
  context.setLineDash(style.dash?.split(' ').map(Number) ?? []);
  context.stroke(path);
};

const drawText = (
  context: CanvasRenderingContext2D,
  at: readonly [number, number],
  text: string,
  style: TextStyle,
): void => {
  context.font = `${style.bold === true ? '600 ' : ''}${style.size}px ${FONT_FAMILY}`;
  context.textAlign = style.anchor === 'middle' ? 'center' : (style.anchor ?? 'start');
  if (style.halo !== undefined) {
    context.strokeStyle = style.halo;
    context.lineWidth = 3;
    context.lineJoin = 'round';
    context.setLineDash([]);
    context.strokeText(text, ...at);
  }
  context.fillStyle = style.fill;
  context.fillText(text, ...at);
};

/** Where stacks become images; one for all, as each is drawn at once. */
let scratch: HTMLCanvasElement | null = null;

const drawStacks = (context: CanvasRenderingContext2D, stacks: Stacks): void => {
  const image = imageOfStacks(stacks, Math.max(1, Math.round(stacks.height * context.getTransform().d)));
  scratch ??= document.createElement('canvas');
  scratch.width = image.width;
  scratch.height = image.height;
  scratch.getContext('2d')?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  const { x, y, width, height, columnWidth } = stacks;
  context.drawImage(scratch, 0, 0, width / columnWidth, image.height, x, y, width, height);
};

/** Draws on a canvas whose transform already maps CSS pixels to its own. */
export const createCanvasSurface = (context: CanvasRenderingContext2D): Surface => {
  const restored = (change: () => void, draw: () => void): void => {
    context.save();
    change();
    draw();
    context.restore();
  };
  return {
    boxes: (fill, boxes) => {
      context.fillStyle = fill;
      for (let b = 0; b < boxes.length; b += 4)
        context.fillRect(boxes[b]!, boxes[b + 1]!, boxes[b + 2]!, boxes[b + 3]!);
    },
    stacks: (stacks) => drawStacks(context, stacks),
    polygon: (fill, points) => {
      context.beginPath();
      for (let p = 0; p < points.length; p += 2) context.lineTo(points[p]!, points[p + 1]!);
      context.fillStyle = fill;
      context.fill();
    },
    path: (data, style) => drawPath(context, data, style),
    text: (x, y, text, style) => drawText(context, [x, y], text, style),
    lower: (y, draw) => restored(() => context.translate(0, y), draw),
    fade: (opacity, draw) => restored(() => (context.globalAlpha *= opacity), draw),
  };
};
