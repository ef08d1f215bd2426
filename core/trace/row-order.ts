/** Whether the first `length` values never fall. */
export const isAscending = (values: Float64Array, length: number): boolean => {
  for (let row = 1; row < length; row++) if (values[row]! < values[row - 1]!) return false;
  return true;
};

/** Row numbers that bring the first `length` values into ascending order, equal ones as they stand. */
export const ascendingOrder = (values: Float64Array, length: number): Uint32Array =>
  Uint32Array.from({ length }, (_, row) => row).sort((a, b) => values[a]! - values[b]! || a - b);
