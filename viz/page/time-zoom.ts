import { scaleLinear, select, zoom, zoomIdentity, type D3ZoomEvent, type ScaleLinear, type ZoomTransform } from 'd3';
import type { TimeWindow } from '../../core/trace/metrics.ts';

/** Zoom and pan of everything on the page, along the time axis. */
export interface TimeZoom {
  readonly window: () => TimeWindow;
  readonly wholeNs: () => number;
  /** Changes how long the run is; a window that showed all of it goes on doing so. `resize` follows. */
  readonly setWhole: (wholeNs: number) => void;
  /** Shows a window, as far as it lies inside the run. */
  readonly show: (window: TimeWindow) => void;
  readonly showWhole: () => void;
  /** Magnifies by a factor around the window's middle. */
  readonly magnify: (factor: number) => void;
  /** Moves by a share of the window; positive is later. */
  readonly move: (share: number) => void;
  /** Tells where the plot area is now, in pixels inside the element; the window stays. */
  readonly resize: (left: number, width: number) => void;
}

/** The closest window in nanoseconds. */
const CLOSEST_NS = 100;

const isPan = (event: WheelEvent): boolean => event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);

/** Binds wheel, drag, double click and touch on the element; `onChange` hears of every new window. */
export const createTimeZoom = (element: HTMLElement, onChange: () => void): TimeZoom => {
  let wholeNs = 1;
  let base: ScaleLinear<number, number> = scaleLinear([0, wholeNs], [0, 1]);
  let current: TimeWindow = { startNs: 0, endNs: wholeNs };
  let scale = 1;

  const isOurs = (event: Event): boolean => {
    if (!(event instanceof WheelEvent)) return !(event instanceof MouseEvent && (event.ctrlKey || event.button !== 0));
    // At the whole run there is nothing to zoom out of: the wheel scrolls the page on.
    return !isPan(event) && (event.ctrlKey || event.deltaY < 0 || scale > 1);
  };

  const behavior = zoom<HTMLElement, unknown>()
    .filter(isOurs)
    .on('zoom', ({ transform }: D3ZoomEvent<HTMLElement, unknown>) => {
      const [startNs, endNs] = transform.rescaleX(base).domain() as [number, number];
      current = { startNs, endNs };
      scale = transform.k;
      onChange();
    });
  const target = select(element).call(behavior);
  target.on('wheel.pan', (event: WheelEvent) => {
    if (!isPan(event)) return;
    event.preventDefault();
    behavior.translateBy(target, -(event.deltaX || event.deltaY) / scale, 0);
  });

  const transformTo = ({ startNs, endNs }: TimeWindow): ZoomTransform => {
    const [left] = base.range() as [number, number];
    const lengthNs = Math.min(Math.max(endNs - startNs, CLOSEST_NS), wholeNs);
    const fromNs = Math.min(Math.max(startNs, 0), wholeNs - lengthNs);
    const k = wholeNs / lengthNs;
    return zoomIdentity.translate(left - k * base(fromNs), 0).scale(k);
  };
  const show = (window: TimeWindow): void => behavior.transform(target, transformTo(window));

  return {
    window: () => current,
    wholeNs: () => wholeNs,
    setWhole: (ns) => {
      const showsAll = current.startNs <= 0 && current.endNs >= wholeNs;
      wholeNs = ns;
      if (showsAll || current.startNs >= ns) current = { startNs: 0, endNs: ns };
      behavior.scaleExtent([1, Math.max(1, ns / CLOSEST_NS)]);
    },
    show,
    showWhole: () => show({ startNs: 0, endNs: wholeNs }),
    magnify: (factor) => behavior.scaleBy(target, factor),
    move: (share) => {
      const distance = share * (current.endNs - current.startNs);
      behavior.translateBy(target, base(0) - base(distance), 0);
    },
    resize: (left, width) => {
      const kept = current;
      base = scaleLinear([0, wholeNs], [left, left + width]);
      const corners: [[number, number], [number, number]] = [
        [left, 0],
        [left + width, 1],
      ];
      behavior.extent(corners).translateExtent(corners);
      show(kept);
    },
  };
};
