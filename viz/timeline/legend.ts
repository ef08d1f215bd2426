import { CAUSE_LABELS, type IdleCause } from '../../core/explain/cause.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { centredBaseline, type Surface } from '../surface/surface.ts';
import { HATCH_WIDTH, hatchData } from '../surface/hatch.ts';
import { fitText, textWidth } from '../surface/text-width.ts';
import { NEUTRAL_COLOUR, type Theme } from '../theme.ts';
import type { ColourBy } from './colour-by.ts';
import { SHADE_NAMES, shadeOf, type Shade } from './span-fill.ts';

/** One entry of a legend; the swatch is drawn into 14 × 12 pixels from x, y. */
export interface LegendItem {
  readonly label: string;
  readonly drawSwatch: (surface: Surface, x: number, y: number) => void;
}

export const SWATCH_WIDTH = 14;
export const SWATCH_HEIGHT = 12;
const LABEL_SIZE = 11;
const LINE_HEIGHT = 18;
const SWATCH_GAP = 5;
const ITEM_GAP = 16;
/** More adapters than this are counted, not listed: their colours repeat and hovering names them. */
const MAXIMUM_ADAPTERS = 24;

const boxSwatch =
  (fill: string, share = 1): LegendItem['drawSwatch'] =>
  (surface, x, y) =>
    surface.boxes(fill, [x, y + SWATCH_HEIGHT * (1 - share), SWATCH_WIDTH, SWATCH_HEIGHT * share]);

const stacked =
  (...swatches: readonly LegendItem['drawSwatch'][]): LegendItem['drawSwatch'] =>
  (surface, x, y) => {
    for (const draw of swatches) draw(surface, x, y);
  };

/** The swatch of an adapter: its forward tint over its backward colour. */
const adapterItem = (theme: Theme, label: string, adapter: number): LegendItem => {
  const { tint, main } = theme.adapters[adapter % theme.adapters.length]!;
  return { label, drawSwatch: stacked(boxSwatch(tint), boxSwatch(main, 0.5)) };
};

const hatchSwatch =
  (stroke: string): LegendItem['drawSwatch'] =>
  (surface, x, y) =>
    surface.path(hatchData([x, y, SWATCH_WIDTH, SWATCH_HEIGHT]), { stroke, width: HATCH_WIDTH });

const SHADE_LABELS: Readonly<Record<Shade, string>> = {
  forward: 'forward (F)',
  backward: 'backward (B)',
  weight: 'backward, weights (W)',
  step: 'optimizer step (S)',
  lifecycle: 'load, save, release',
};

/** Colours by kind have a colour for every shade, all others explain shades with the neutral one. */
const shadeSwatch = (theme: Theme, shade: Shade, colourBy: ColourBy): LegendItem['drawSwatch'] => {
  const colour = colourBy === 'kind' ? SHADE_NAMES.indexOf(shade) : NEUTRAL_COLOUR;
  const { tint, main } = theme.adapters[colour]!;
  switch (shade) {
    case 'forward':
      return boxSwatch(tint);
    case 'backward':
      return stacked(boxSwatch(main), boxSwatch(theme.shadow, 0.25));
    case 'weight':
      return stacked(boxSwatch(main), hatchSwatch(theme.shadow));
    case 'step':
      return stacked(boxSwatch(main), boxSwatch(theme.shadow));
    case 'lifecycle':
      return boxSwatch(theme.neutral);
  }
};

/** Kernels of a foreign trace are drawn as forwards, but nobody knows whether they are. */
const shadesIn = (trace: Trace): ReadonlySet<Shade> => {
  if (trace.kernels !== undefined) return new Set();
  const kinds = new Set<number>(trace.spans.kind);
  const first = [...kinds].map((kind) => trace.spans.kind.indexOf(kind));
  return new Set(first.map((span) => shadeOf(trace, span)));
};

/** Adapters by colour. */
export const adapterLegend = (names: readonly string[], theme: Theme): readonly LegendItem[] => {
  const shown = names.slice(0, MAXIMUM_ADAPTERS).map((name, adapter) => adapterItem(theme, name, adapter));
  const hidden = names.length - shown.length;
  return hidden === 0 ? shown : [...shown, { label: `and ${hidden} more`, drawSwatch: () => undefined }];
};

/** Kinds of span that the traces have, and the bubble. */
export const kindLegend = (
  traces: readonly Trace[],
  theme: Theme,
  colourBy: ColourBy = 'adapter',
): readonly LegendItem[] => {
  const present = new Set(traces.flatMap((trace) => [...shadesIn(trace)]));
  const shades = SHADE_NAMES.filter((shade) => present.has(shade));
  return [
    ...shades.map((shade) => ({ label: SHADE_LABELS[shade], drawSwatch: shadeSwatch(theme, shade, colourBy) })),
    { label: 'idle (bubble)', drawSwatch: boxSwatch(theme.idle) },
  ];
};

/** Causes of idle time by their shade. */
export const causeLegend = (causes: readonly IdleCause[], theme: Theme): readonly LegendItem[] =>
  causes.map((cause) => ({ label: CAUSE_LABELS[cause], drawSwatch: stacked(boxSwatch(theme.causes[cause]), hatchSwatch(theme.paper)) }));

/** Where an item's swatch begins, and as much of its label as the width allows. */
interface LegendPlace {
  readonly x: number;
  readonly y: number;
  readonly label: string;
}

/** Position of every item, line by line, so that none reaches beyond the width. */
export const flowLegend = (
  items: readonly LegendItem[],
  width: number,
): { readonly places: readonly LegendPlace[]; readonly height: number } => {
  let x = 0;
  let y = 0;
  const places = items.map((item) => {
    const label = fitText(item.label, LABEL_SIZE, width - SWATCH_WIDTH - SWATCH_GAP);
    const itemWidth = SWATCH_WIDTH + SWATCH_GAP + textWidth(label, LABEL_SIZE);
    if (x > 0 && x + itemWidth > width) {
      x = 0;
      y += LINE_HEIGHT;
    }
    const place = { x, y, label };
    x += itemWidth + ITEM_GAP;
    return place;
  });
  return { places, height: items.length === 0 ? 0 : y + LINE_HEIGHT };
};

/** Draws a legend from the origin to the right and down; returns its height in pixels. */
export const drawLegend = (surface: Surface, items: readonly LegendItem[], theme: Theme, width: number): number => {
  const { places, height } = flowLegend(items, width);
  for (const [i, { x, y, label }] of places.entries()) {
    items[i]!.drawSwatch(surface, x, y);
    const baseline = centredBaseline(y + SWATCH_HEIGHT / 2, LABEL_SIZE);
    surface.text(x + SWATCH_WIDTH + SWATCH_GAP, baseline, label, { size: LABEL_SIZE, fill: theme.ink });
  }
  return height;
};
