/**
 * Units of the whole system: time is integer nanoseconds, memory is bytes. The brands exist at API edges only;
 * columns and inner loops hold plain numbers with the unit in the name (`durationNs`, `memoryBytes`).
 */
export type Nanoseconds = number & { readonly unit: 'ns' };
export type Bytes = number & { readonly unit: 'B' };

export const KILO = 1e3;
export const MEGA = 1e6;
export const GIGA = 1e9;
export const TERA = 1e12;
export const KIBI = 2 ** 10;
export const MEBI = 2 ** 20;
export const GIBI = 2 ** 30;

export const NS_PER_US = 1e3;
export const NS_PER_MS = 1e6;
export const NS_PER_S = 1e9;

/** Rounds seconds to whole nanoseconds. */
export const nanoseconds = (seconds: number): Nanoseconds => Math.round(seconds * NS_PER_S) as Nanoseconds;

/** Rounds up to whole bytes. */
export const bytes = (count: number): Bytes => Math.ceil(count) as Bytes;

export const toSeconds = (durationNs: number): number => durationNs / NS_PER_S;

const scaled = (value: number, steps: readonly (readonly [number, string])[]): string => {
  const [scale, unit] = steps.find(([size]) => Math.abs(value) >= size) ?? steps[steps.length - 1]!;
  return `${Number((value / scale).toPrecision(4))} ${unit}`;
};

/** A duration for people, e.g. `1.234 ms`. */
export const formatDuration = (durationNs: number): string =>
  scaled(durationNs, [[NS_PER_S, 's'], [NS_PER_MS, 'ms'], [NS_PER_US, 'µs'], [1, 'ns']]);

/** A size for people in binary units, e.g. `12.5 GiB`. */
export const formatBytes = (memoryBytes: number): string =>
  scaled(memoryBytes, [[GIBI, 'GiB'], [MEBI, 'MiB'], [KIBI, 'KiB'], [1, 'B']]);
