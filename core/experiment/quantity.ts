/**
 * Quantities in experiment files: a number and a unit with or without a space between them (`30s`, `25 GB/s`). Zero
 * needs no unit; any other bare number is an error, so that no one has to guess. GB is 1e9, GiB is 2^30; bit/s rates
 * are divided by eight.
 */
import type { ZodType } from 'zod';
import { converted } from '../structure.ts';
import { GIBI, GIGA, KIBI, KILO, MEBI, MEGA, NS_PER_MS, NS_PER_S, NS_PER_US, TERA } from '../units.ts';

export interface Dimension {
  readonly example: string;
  /** Size of each unit in our base unit (ns, bytes, bytes/s, FLOP/s). */
  readonly units: Readonly<Record<string, number>>;
  /** The base unit is not divisible: values are rounded to it. */
  readonly whole: boolean;
}

export const TIME: Dimension = {
  example: '30 s',
  units: { h: 3600 * NS_PER_S, min: 60 * NS_PER_S, s: NS_PER_S, ms: NS_PER_MS, us: NS_PER_US, µs: NS_PER_US, ns: 1 },
  whole: true,
};

export const SIZE: Dimension = {
  example: '48 GiB',
  units: { TB: TERA, GiB: GIBI, GB: GIGA, MiB: MEBI, MB: MEGA, KiB: KIBI, kB: KILO, B: 1 },
  whole: true,
};

export const TRANSFER_RATE: Dimension = {
  example: '25 GB/s',
  units: {
    'TB/s': TERA,
    'GB/s': GIGA,
    'MB/s': MEGA,
    'kB/s': KILO,
    'B/s': 1,
    'Gbit/s': GIGA / 8,
    'Mbit/s': MEGA / 8,
  },
  whole: false,
};

export const COMPUTE_RATE: Dimension = {
  example: '38.7 TFLOP/s',
  units: { 'PFLOP/s': 1e15, 'TFLOP/s': TERA, 'GFLOP/s': GIGA, 'MFLOP/s': MEGA, 'FLOP/s': 1 },
  whole: false,
};

/** The value in base units, or null where the input is no such quantity. */
export const parseQuantity = (input: unknown, { units, whole }: Dimension): number | null => {
  if (input === 0) return 0;
  const match = typeof input === 'string' ? /^([\d.]+(?:e[+-]?\d+)?)\s*(\S+)$/i.exec(input.trim()) : null;
  const [, number, unit] = match ?? [];
  if (number === undefined || unit === undefined || !Object.hasOwn(units, unit)) return null;
  const value = Number(number) * units[unit]!;
  if (!Number.isFinite(value)) return null;
  return whole ? Math.round(value) : value;
};

/** The shortest exact text of a value in base units: `parseQuantity` gives the same number back. */
export const formatQuantity = (value: number, dimension: Dimension): string => {
  const texts = Object.entries(dimension.units)
    .filter(([, size]) => value >= size)
    .map(([unit, size]) => `${value / size} ${unit}`)
    .filter((text) => parseQuantity(text, dimension) === value);
  const shortest = texts.reduce<string | null>(
    (best, text) => (best === null || text.length < best.length ? text : best),
    null,
  );
  const base = Object.entries(dimension.units).find(([, size]) => size === 1)![0];
  return shortest ?? `${value} ${base}`;
};

const quantity = (dimension: Dimension, minimum: 'positive' | 'zero'): ZodType<number> =>
  converted(
    `expected a number with a unit like ${dimension.example}, ${minimum === 'zero' ? 'or 0' : 'above 0'}` +
      ` (units: ${Object.keys(dimension.units).join(', ')})`,
    (input) => {
      const value = parseQuantity(input, dimension);
      return value !== null && (minimum === 'zero' || value > 0) ? value : null;
    },
  );

/** A quantity above 0, in base units. */
export const positiveQuantity = (dimension: Dimension): ZodType<number> => quantity(dimension, 'positive');

/** A quantity of at least 0, in base units. */
export const quantityFromZero = (dimension: Dimension): ZodType<number> => quantity(dimension, 'zero');
