import { reading, valueOf, type Figure, type Panel, type Series } from '../figure.ts';
import { bubbleFormula, type BubbleTask } from '../tasks/bubble.ts';

type Source = 'formula' | BubbleTask['release'];

const TITLES: Readonly<Record<Source, string>> = {
  formula: 'closed form',
  staggered: 'staggered release',
  greedy: 'greedy release',
};

const upTo = (most: number): number[] => Array.from({ length: most }, (_, index) => index + 1);

/** Simulated ratios differ from 0 by rounding of binary fractions. */
const rounded = (ratio: number): number => Math.max(0, Number(ratio.toFixed(9)));

const row = (devices: number, microbatches: number, source: Source): Series => ({
  name: `N = ${microbatches}`,
  paper: `N = ${microbatches}`,
  point: (x) => {
    const cell = { devices, microbatches, adapters: Number(x) };
    const task: BubbleTask = { kind: 'bubble', ...cell, release: source === 'formula' ? 'staggered' : source };
    return reading<'bubble'>(task, ({ bubbleRatio }) => valueOf(source === 'formula' ? bubbleFormula(cell) : rounded(bubbleRatio)));
  },
});

const panel = (devices: number, source: Source): Panel => ({
  id: `GPUs=${devices}`,
  title: `${devices} GPUs, ${TITLES[source]}`,
  setting: source === 'formula' ? 'max{(D − 1 + N − L·N)/(D + N − 1), 0}' : 'simulated; equal times, T_b/T_f = 1.15, communication free',
  layout: 'heatMap',
  x: { label: 'adapters', unit: null },
  y: { label: 'bubble ratio', unit: null },
  series: upTo(devices).map((microbatches) => row(devices, microbatches, source)),
});

export const FIGURE_9: Figure = {
  number: 9,
  title: 'Bubble ratio of LoRAPP and 1F1B',
  question: 'Does the schedule reach the closed form that the paper plots?',
  columns: 3,
  panels: [4, 8].flatMap((devices) => [panel(devices, 'formula'), panel(devices, 'staggered'), panel(devices, 'greedy')]),
  fitted: [],
  leftOpen: [
    'The figure plots max{(D − 1 + N − L·N)/(D + N − 1), 0}, not a measurement; 1F1B is its column of one adapter.',
    'Greedy release, the order that the paper describes, does not reach it: adapters bunch up. Staggered release does.',
  ],
};
