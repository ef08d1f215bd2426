import { interpolateLab, lab } from 'd3';
import { MEMORY_CLASSES, type MemoryClass } from '../core/cost-model.ts';
import { IDLE_CAUSES, type IdleCause } from '../core/explain/cause.ts';

/** Colours of one adapter: the tint says forward, the full colour backward. */
export interface AdapterColours {
  readonly tint: string;
  readonly main: string;
  /** Text on the full colour. */
  readonly onMain: string;
}

/** Every colour a chart uses. */
export interface Theme {
  readonly paper: string;
  readonly ink: string;
  readonly muted: string;
  readonly grid: string;
  /** Behind the compute row: what shows is a bubble. */
  readonly idle: string;
  /** Behind the other streams. */
  readonly track: string;
  /** Laid over a colour to mark backward (at its foot) and step (all of it). */
  readonly shadow: string;
  readonly alarm: string;
  /** Loading, saving and releasing adapters. */
  readonly neutral: string;
  /** Adapter a has the colours a modulo length. */
  readonly adapters: readonly AdapterColours[];
  readonly memory: Readonly<Record<MemoryClass, string>>;
  /** Shades of bubbles, paler than any op. */
  readonly causes: Readonly<Record<IdleCause, string>>;
}

/**
 * Okabe & Ito 2008, "Color Universal Design": told apart with every kind of colour vision. The pale ones come last; in
 * the place of black stands each theme's neutral.
 */
const hues = (neutral: string): readonly string[] => [
  '#0072b2',
  '#e69f00',
  '#009e73',
  '#cc79a7',
  '#d55e00',
  neutral,
  '#56b4e9',
  '#f0e442',
];

/** The neutral's place among the adapter colours: legends explain kinds of op with it. */
export const NEUTRAL_COLOUR = 5;

const DARK_TEXT = '#14181d';

/** `tintShare` says how far the tints lie from the paper on the way to the full colours. */
const adapterColours = (paper: string, neutral: string, tintShare: number): readonly AdapterColours[] =>
  hues(neutral).map((main) => ({
    tint: lab(interpolateLab(paper, main)(tintShare)).formatHex(),
    main,
    onMain: lab(main).l > 50 ? DARK_TEXT : '#ffffff',
  }));

export const LIGHT: Theme = {
  paper: '#ffffff',
  ink: '#1c2128',
  muted: '#5c6570',
  grid: '#d5dae0',
  idle: '#e6e9ed',
  track: '#f5f6f8',
  shadow: 'rgba(10,14,20,0.5)',
  alarm: '#c2185b',
  neutral: '#9aa3ad',
  adapters: adapterColours('#ffffff', '#6a6f75', 0.4),
  memory: {
    context: '#c9ced6',
    baseWeights: '#a3abb7',
    adapters: '#35507a',
    gradients: '#5577a8',
    optimizer: '#7f9fca',
    activations: '#5fb3a8',
    transient: '#a8d8cf',
    communication: '#1f6f68',
    quantization: '#c98a3d',
    allocator: '#e3c9a2',
  },
  causes: {
    fillDrain: '#cdd6e2',
    ownStep: '#f3b9b4',
    otherStep: '#ded3b8',
    unequalLengths: '#d9c9ee',
    unequalStages: '#b9d8ef',
    communication: '#b5e2d0',
    launches: '#e9e4a2',
    memoryCap: '#efb6d8',
    noWork: '#e6e9ed',
    runtime: '#d3c2ad',
  },
};

export const DARK: Theme = {
  paper: '#14181d',
  ink: '#e7eaee',
  muted: '#9aa5b1',
  grid: '#2d343d',
  idle: '#20252c',
  track: '#1b2026',
  shadow: 'rgba(255,255,255,0.6)',
  alarm: '#ff6b9d',
  neutral: '#7b858f',
  adapters: adapterColours('#14181d', '#c3cad2', 0.45),
  memory: {
    context: '#4a525c',
    baseWeights: '#69737f',
    adapters: '#a9c3ea',
    gradients: '#7f9fca',
    optimizer: '#5577a8',
    activations: '#3f948a',
    transient: '#235a54',
    communication: '#9fdcd2',
    quantization: '#b57a34',
    allocator: '#7d6340',
  },
  causes: {
    fillDrain: '#39465a',
    ownStep: '#6b3430',
    otherStep: '#55503c',
    unequalLengths: '#4d3c66',
    unequalStages: '#2a4f69',
    communication: '#27563f',
    launches: '#56521f',
    memoryCap: '#662f52',
    noWork: '#20252c',
    runtime: '#4f4233',
  },
};

export type ThemeName = 'light' | 'dark';
export const THEMES: Readonly<Record<ThemeName, Theme>> = { light: LIGHT, dark: DARK };

const PLAIN = ['paper', 'ink', 'muted', 'grid', 'idle', 'track', 'shadow', 'alarm', 'neutral'] as const;

/** Custom properties of a theme as CSS declarations. */
export const themeVariables = (theme: Theme): string =>
  [
    ...PLAIN.map((name) => `--${name}:${theme[name]}`),
    ...theme.adapters.map(
      ({ tint, main, onMain }, a) => `--tint-${a}:${tint};--main-${a}:${main};--on-main-${a}:${onMain}`,
    ),
    ...MEMORY_CLASSES.map((name) => `--memory-${name}:${theme.memory[name]}`),
    ...IDLE_CAUSES.map((name) => `--cause-${name}:${theme.causes[name]}`),
  ].join(';');

const variable = (name: string): string => `var(--${name})`;

/** Names the custom properties instead of colours, for drawings inside the page that follow its theme. */
export const PAGE_THEME: Theme = {
  ...(Object.fromEntries(PLAIN.map((name) => [name, variable(name)])) as Record<(typeof PLAIN)[number], string>),
  adapters: LIGHT.adapters.map((_, a) => ({
    tint: variable(`tint-${a}`),
    main: variable(`main-${a}`),
    onMain: variable(`on-main-${a}`),
  })),
  memory: Object.fromEntries(MEMORY_CLASSES.map((name) => [name, variable(`memory-${name}`)])) as Record<
    MemoryClass,
    string
  >,
  causes: Object.fromEntries(IDLE_CAUSES.map((name) => [name, variable(`cause-${name}`)])) as Record<IdleCause, string>,
};

export const colourOfAdapter = (theme: Theme, adapter: number): AdapterColours =>
  theme.adapters[adapter % theme.adapters.length]!;
