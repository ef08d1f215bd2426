import { show } from '../problem.ts';
import { isRecord } from '../structure.ts';

/** A mapping of a configuration file, as it is written. */
export type Written = Readonly<Record<string, unknown>>;

/** What has become of keys, in the order in which they were looked at. */
export interface Notes {
  readonly mapped: string[];
  readonly unmapped: string[];
}

/** The keys of one mapping that are not taken yet. */
export type Taker = ReturnType<typeof createTaker>;

/** Takes keys out of a mapping one by one; what is left in the end was not understood. */
export const createTaker = (value: Written, path: string, notes: Notes) => {
  const left = new Set(Object.keys(value));
  return {
    /** A key that goes to `target`. */
    take: (key: string, target: string): unknown => {
      left.delete(key);
      if (value[key] !== undefined) notes.mapped.push(`${path}.${key} ${show(value[key])} → ${target}`);
      return value[key];
    },
    /** A key that says how others are meant. */
    use: (key: string): unknown => {
      left.delete(key);
      return value[key];
    },
    drop: (key: string, why: string): void => {
      if (left.delete(key)) notes.unmapped.push(`${path}.${key} ${show(value[key])}: ${why}`);
    },
    end: (): void => {
      for (const key of left) notes.unmapped.push(`${path}.${key} ${show(value[key])}: is not known here`);
    },
  };
};

export const recordsOf = (value: unknown): readonly Written[] => (Array.isArray(value) ? value.filter(isRecord) : []);

export const numberOf = (value: unknown): number | undefined => {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
};

/** Only what is said. */
export const said = (values: Written): Written => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
