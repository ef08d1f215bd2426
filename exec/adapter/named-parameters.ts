import type { NamedArray } from '../stage.ts';
import { type ParameterLayout, type Segment, peftShape } from './parameter-layout.ts';

/** A flat parameter vector as PEFT's named matrices. */
export const unpackParameters = ({ segments }: ParameterLayout, values: Float32Array): readonly NamedArray[] =>
  segments.map((segment) => ({ name: segment.name, shape: peftShape(segment), values: toPeft(segment, values) }));

/** PEFT's named matrices as a flat parameter vector; throws when one is missing or has another shape. */
export const packParameters = ({ segments, size }: ParameterLayout, arrays: readonly NamedArray[]): Float32Array => {
  const byName = new Map(arrays.map((array) => [array.name, array]));
  const values = new Float32Array(size);
  for (const segment of segments) {
    const array = byName.get(segment.name);
    const expected = peftShape(segment);
    if (array?.shape.join() !== expected.join()) {
      throw new Error(
        `${segment.name}: expected shape [${expected.join()}], found ${array ? `[${array.shape.join()}]` : 'nothing'}`,
      );
    }
    values.set(fromPeft(segment, array.values), segment.offset);
  }
  return values;
};

const toPeft = ({ matrix, size, rank, offset }: Segment, values: Float32Array): Float32Array => {
  const stored = values.subarray(offset, offset + size * rank);
  return matrix === 'A' ? transposed(stored, size, rank) : stored.slice();
};

const fromPeft = ({ matrix, size, rank }: Segment, values: Float32Array): Float32Array =>
  matrix === 'A' ? transposed(values, rank, size) : values;

const transposed = (values: Float32Array, rows: number, columns: number): Float32Array => {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!;
  }
  return result;
};
