import type { Figure } from './figure.ts';
import { FIGURE_10 } from './figures/figure-10.ts';
import { FIGURE_11 } from './figures/figure-11.ts';
import { FIGURE_12 } from './figures/figure-12.ts';
import { FIGURE_13 } from './figures/figure-13.ts';
import { FIGURE_14 } from './figures/figure-14.ts';
import { FIGURE_15 } from './figures/figure-15.ts';
import { FIGURE_16 } from './figures/figure-16.ts';
import { FIGURE_7 } from './figures/figure-07.ts';
import { FIGURE_8 } from './figures/figure-08.ts';
import { FIGURE_9 } from './figures/figure-09.ts';

/** The figures of the paper's evaluation. */
export const FIGURES: readonly Figure[] = [
  ...[FIGURE_7, FIGURE_8, FIGURE_9, FIGURE_10, FIGURE_11],
  ...[FIGURE_12, FIGURE_13, FIGURE_14, FIGURE_15, FIGURE_16],
];
