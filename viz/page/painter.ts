import { isInSight, type Panel } from './panel.ts';

/** Milliseconds after the last change until panels out of sight are painted too. */
const CALM_MS = 120;

/**
 * Returns what asks for all panels to be painted afresh: those in sight with the screen's next frame, the others once
 * the changes have calmed down.
 */
export const createPainter = (panels: readonly Panel[], paint: (panel: Panel) => void): (() => void) => {
  const stale = new Set<Panel>();
  let frame = 0;
  let calm = 0;

  const paintWhere = (wanted: (panel: Panel) => boolean): void => {
    for (const panel of [...stale].filter(wanted)) {
      paint(panel);
      stale.delete(panel);
    }
  };
  return () => {
    for (const panel of panels) stale.add(panel);
    cancelAnimationFrame(frame);
    clearTimeout(calm);
    frame = requestAnimationFrame(() => paintWhere(isInSight));
    calm = window.setTimeout(() => paintWhere(() => true), CALM_MS);
  };
};
