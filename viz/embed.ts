/**
 * Values inside a page's JSON. Columns travel as base64 of their bytes (little-endian, as every browser and Node
 * platform has them), numbers that JSON lacks as their names.
 */
const COLUMN_TYPES = { Uint8Array, Uint16Array, Uint32Array, Float64Array } as const;
type ColumnName = keyof typeof COLUMN_TYPES;
type Column = InstanceType<(typeof COLUMN_TYPES)[ColumnName]>;

const COLUMN_KEY = '$column';
const NUMBER_KEY = '$number';
/** String.fromCharCode takes its bytes as arguments: more than this at once overflow the stack. */
const CHUNK = 0x8000;

const isColumn = (value: unknown): value is Column => Object.values(COLUMN_TYPES).some((type) => value instanceof type);

const toBase64 = ({ buffer, byteOffset, byteLength }: Column): string => {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  let binary = '';
  for (let start = 0; start < byteLength; start += CHUNK)
    binary += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  return btoa(binary);
};

const fromBase64 = (name: ColumnName, text: string): Column => {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new COLUMN_TYPES[name](bytes.buffer);
};

const replace = (_: string, value: unknown): unknown => {
  if (isColumn(value)) return { [COLUMN_KEY]: value.constructor.name, base64: toBase64(value) };
  return typeof value === 'number' && !Number.isFinite(value) ? { [NUMBER_KEY]: String(value) } : value;
};

const revive = (_: string, value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  const entry = value as Readonly<Record<string, string>>;
  if (entry[COLUMN_KEY] !== undefined) return fromBase64(entry[COLUMN_KEY] as ColumnName, entry.base64 ?? '');
  return entry[NUMBER_KEY] === undefined ? value : Number(entry[NUMBER_KEY]);
};

/** A value as JSON that can stand inside a script element whatever names it contains. */
export const toEmbeddedJson = (value: unknown): string => JSON.stringify(value, replace).replaceAll('<', '\\u003c');

/** Reads what toEmbeddedJson wrote, columns as typed arrays again. */
export const fromEmbeddedJson = (text: string): unknown => JSON.parse(text, revive) as unknown;
