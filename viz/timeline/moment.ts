import { NS_PER_MS, NS_PER_S } from '../../core/units.ts';

/** A moment of a run to the nanosecond: unlike a duration it must not be rounded to a few digits. */
export const formatMoment = (timeNs: number): string => {
  const [size, unit] = timeNs >= NS_PER_S ? [NS_PER_S, 's'] : [NS_PER_MS, 'ms'];
  return `${Number((timeNs / size).toFixed(unit === 's' ? 9 : 6))} ${unit}`;
};
