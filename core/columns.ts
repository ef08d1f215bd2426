type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** The column, or a copy of at least twice its capacity, so that index `length - 1` can be written. */
export const ensureCapacity = <C extends Column>(column: C, length: number): C => {
  if (length <= column.length) return column;
  const grown = new (column.constructor as new (capacity: number) => C)(Math.max(length, 2 * column.length, 64));
  grown.set(column);
  return grown;
};
