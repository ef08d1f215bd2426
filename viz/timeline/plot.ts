import type { Surface } from '../surface/surface.ts';
import type { Theme } from '../theme.ts';
import type { Frame } from './frame.ts';

/** Where a chart is drawn: on what, in which part of it and for which window of time, in which colours. */
export interface Plot {
  readonly surface: Surface;
  readonly frame: Frame;
  readonly theme: Theme;
}
