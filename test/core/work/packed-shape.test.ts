import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sizeOfRows } from '../../../core/workload.ts';
import { shapeAsPacked } from '../../../core/work/packed-shape.ts';
import { layOutBatch } from '../../../exec/model/batch-layout.ts';

/** What the executor makes of rows of these lengths. */
const laidOut = (lengths: readonly number[]) => {
  const rows = lengths.map((length) => ({ tokens: new Int32Array(length), targets: new Int32Array(length) }));
  const { chunks } = layOutBatch({ microbatch: 0, parts: [{ adapter: 0, rows, lossScale: 1 }] });
  return { rows: chunks.length, squaredTokens: chunks.reduce((sum, { count }) => sum + count * count, 0) };
};

describe('a shape as the executor attends to it', () => {
  it('has the blocks of the executor for rows of one length', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 200 }), (rows, length) => {
        const lengths = Array.from({ length: rows }, () => length);
        const [part] = shapeAsPacked({ parts: [{ adapter: 0, ...sizeOfRows(lengths) }] }).parts;
        expect(part).toMatchObject(laidOut(lengths));
      }),
    );
  });

  it('leaves rows that are too long to share a block as they are', () => {
    const shape = { parts: [{ adapter: 0, ...sizeOfRows([70, 90, 300]) }] };
    expect(shapeAsPacked(shape)).toEqual(shape);
  });
});
