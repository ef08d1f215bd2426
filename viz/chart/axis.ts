import { extent, format, range, scaleLinear, scaleLog } from 'd3';

/** What an axis measures. The unit is asked for every time, so that none is forgotten; null for a pure number. */
export interface Quantity {
  readonly label: string;
  readonly unit: string | null;
  /**
   * `linear` unless told; `log2` is for counts that double, such as devices. Values that are not positive have no place
   * on a logarithmic axis.
   */
  readonly scale?: 'linear' | 'log' | 'log2';
  /** Whether a linear axis begins at 0; true unless told. */
  readonly fromZero?: boolean;
}

/** Values of a quantity along some pixels. */
export interface Axis {
  readonly position: (value: number) => number;
  readonly ticks: readonly AxisTick[];
}

export interface AxisTick {
  /** In pixels. */
  readonly at: number;
  readonly label: string;
}

/** The axis's name as a reader sees it. */
export const nameOf = ({ label, unit }: Quantity): string => (unit === null ? label : `${label} (${unit})`);

/** Pixels from tick to tick at least. */
const DENSEST_TICKS = { vertical: 32, horizontal: 64 } as const;

/** Values closer to each other than this share of them are one value: no tick has room between them. */
const SAME = 1e-9;

/** The extent of values, widened where it has no length; nothing and zero alone reach from 0 to 1. */
const wide = (values: readonly number[]): readonly [number, number] => {
  const [low = 0, high = 0] = extent(values);
  const size = Math.max(Math.abs(low), Math.abs(high));
  if (size === 0) return [0, 1];
  return high - low > SAME * size ? [low, high] : [low - size / 2, high + size / 2];
};

const linearAxis = (values: readonly number[], pixels: readonly [number, number], most: number): Axis => {
  const [low, high] = wide(values);
  // What is counted is whole, and so are its ticks.
  const isWhole = values.every(Number.isInteger);
  const count = isWhole ? Math.max(1, Math.min(most, Math.floor(high - low))) : most;
  const scale = scaleLinear([low, high], pixels).nice(count);
  const labelOf = scale.tickFormat(count);
  return { position: scale, ticks: scale.ticks(count).map((value) => ({ at: scale(value), label: labelOf(value) })) };
};

/** Steps inside a decade, from many to few. */
const DECADE_STEPS = [[1, 2, 5], [1, 3], [1]] as const;

const decades = (low: number, high: number, steps: readonly number[]): readonly number[] => {
  const powers = range(Math.floor(Math.log10(low)), Math.log10(high) + 1e-9);
  return powers.flatMap((power) => steps.map((step) => step * 10 ** power)).filter((value) => value >= low && value <= high);
};

const doublings = (low: number, high: number): readonly number[] =>
  range(Math.ceil(Math.log2(low)), Math.log2(high) + 1e-9).map((power) => 2 ** power);

/** Every n-th value, so that at most `count` are left. */
const thinned = (values: readonly number[], count: number): readonly number[] => {
  const step = Math.ceil(values.length / count);
  return values.filter((_, i) => i % step === 0);
};

const logTicks = (low: number, high: number, count: number): readonly number[] => {
  const fitting = DECADE_STEPS.map((steps) => decades(low, high, steps)).find((ticks) => ticks.length <= count);
  return thinned(fitting ?? decades(low, high, [1]), count);
};

/** The powers of the base that the values lie between, at least one step apart. */
const powersAround = (values: readonly number[], base: 'log' | 'log2'): readonly [number, number] => {
  const [log, step] = base === 'log2' ? [Math.log2, 2] : [Math.log10, 10];
  const [low = 1, high = low] = extent(values);
  const first = Math.floor(log(low));
  return [step ** first, step ** Math.max(first + 1, Math.ceil(log(high)))];
};

const logFormat = format(',~r');

const logAxis = (
  values: readonly number[],
  pixels: readonly [number, number],
  count: number,
  base: 'log' | 'log2',
): Axis => {
  const [low, high] = powersAround(values, base);
  const scale = scaleLog([low, high], pixels);
  const ticks = base === 'log2' ? thinned(doublings(low, high), 1.6 * count) : logTicks(low, high, count);
  return { position: scale, ticks: ticks.map((value) => ({ at: scale(value), label: logFormat(value) })) };
};

/** An axis that holds all values; `pixels` says where it begins and ends in pixels. */
export const createAxis = (
  { scale = 'linear', fromZero = true }: Quantity,
  values: readonly number[],
  pixels: readonly [number, number],
  direction: 'vertical' | 'horizontal',
): Axis => {
  const count = Math.max(2, Math.floor(Math.abs(pixels[1] - pixels[0]) / DENSEST_TICKS[direction]));
  const finite = values.filter((value) => Number.isFinite(value) && (scale === 'linear' || value > 0));
  if (scale !== 'linear') return logAxis(finite, pixels, count, scale);
  return linearAxis(fromZero ? [0, ...finite] : finite, pixels, count);
};
