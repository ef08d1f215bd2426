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
    path: (data, style) => drawPath(context, data, style),
    text: (x, y, text, style) => drawText(context, [x, y], text, style),
    lower: (y, draw) => restored(() => context.translate(0, y), draw),
    fade: (opacity, draw) => restored(() => (context.globalAlpha *= opacity), draw),
  };
};
