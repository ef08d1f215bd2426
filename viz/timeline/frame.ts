/** The plot area's horizontal extent in pixels and the window of time it shows in nanoseconds. */
export interface Frame {
  readonly left: number;
  readonly width: number;
  readonly startNs: number;
  readonly endNs: number;
}

/** Pixels per nanosecond; a window without length shows its moment at the left edge. */
export const scaleOf = ({ width, startNs, endNs }: Frame): number => (endNs > startNs ? width / (endNs - startNs) : 0);

export const xOf = (frame: Frame, timeNs: number): number => frame.left + (timeNs - frame.startNs) * scaleOf(frame);

export const timeAt = (frame: Frame, x: number): number => {
  const scale = scaleOf(frame);
  return scale === 0 ? frame.startNs : frame.startNs + (x - frame.left) / scale;
};

/** The position, or the edge of the plot area it lies beyond. */
export const clampX = ({ left, width }: Frame, x: number): number => Math.min(Math.max(x, left), left + width);
