import { isInSight, type Panel } from './panel.ts';

/** Milliseconds after the last change until panels out of sight are painted too. */
const CALM_MS = 120;

/** Paints panels afresh: those in sight with the screen's next frame, the others once the changes have calmed down. */
export interface Painter {
  /** Asks for these panels and forgets all others. */
  readonly paint: (panels: readonly Panel[]) => void;
}

export const createPainter = (paintPanel: (panel: Panel) => void): Painter => {
  let stale = new Set<Panel>();
  let frame = 0;
  let calm = 0;

  const paintWhere = (wanted: (panel: Panel) => boolean): void => {
    for (const panel of [...stale].filter(wanted)) {
      paintPanel(panel);
      stale.delete(panel);
    }
  };
  return {
    paint: (panels) => {
      stale = new Set(panels);
      cancelAnimationFrame(frame);
      clearTimeout(calm);
      frame = requestAnimationFrame(() => paintWhere(isInSight));
      calm = window.setTimeout(() => paintWhere(() => true), CALM_MS);
    },
  };
};
