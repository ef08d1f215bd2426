import type { Trace } from '../../core/trace/trace.ts';
import type { Theme } from '../theme.ts';
import { carriesMicrobatch, SHADE_NAMES, shadeOf, stripeAdapter, stripeCount } from './span-fill.ts';

/** What the colours of a timeline tell apart. Forward stays pale and backward dark whatever they say. */
export const COLOUR_BY = ['adapter', 'kind', 'iteration'] as const;
export type ColourBy = (typeof COLOUR_BY)[number];

/** Iteration of the adapter of a stripe. */
const stripeIteration = ({ spans, plan }: Trace, span: number, stripe: number): number => {
  const { partStart, partIteration } = plan.microbatches;
  return partIteration[partStart[spans.operand[span]!]! + stripe]!;
};

/** Number of the colour of a stripe, to be taken modulo the theme's colours. */
export const colourNumber = (trace: Trace, span: number, stripe: number, colourBy: ColourBy): number => {
  switch (colourBy) {
    case 'adapter':
      return stripeAdapter(trace, span, stripe);
    case 'kind':
      return SHADE_NAMES.indexOf(shadeOf(trace, span));
    case 'iteration':
      return carriesMicrobatch(trace, span) ? stripeIteration(trace, span, stripe) : trace.spans.iteration[span]!;
  }
};

/** Stripes that a span is drawn with: colours by kind know no adapters. */
export const stripesBy = (trace: Trace, span: number, colourBy: ColourBy): number =>
  colourBy === 'kind' ? 1 : stripeCount(trace, span);

/**
 * Everything a timeline is filled with as one list: paint 0 is neutral; then each colour's tint and the colour itself.
 */
export const paintsOf = (theme: Theme): readonly string[] => [
  theme.neutral,
  ...theme.adapters.flatMap(({ tint, main }) => [tint, main]),
];

/** Place of a stripe's fill in `paintsOf`, for a theme with so many colours. */
export const paintOf = (trace: Trace, span: number, stripe: number, colourBy: ColourBy, colours: number): number => {
  const shade = shadeOf(trace, span);
  if (shade === 'lifecycle') return 0;
  return 1 + 2 * (colourNumber(trace, span, stripe, colourBy) % colours) + (shade === 'forward' ? 0 : 1);
};
