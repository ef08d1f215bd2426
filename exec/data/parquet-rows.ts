import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import * as E from 'fp-ts/lib/Either.js';
import { parquetReadObjects, type Compressors } from 'hyparquet';
import type { RawRow } from './raw-rows.ts';

/** The library itself reads uncompressed and Snappy pages; these two come with Node. */
const COMPRESSORS: Compressors = {
  GZIP: (bytes) => gunzipSync(bytes),
  BROTLI: (bytes) => brotliDecompressSync(bytes),
};

/** 64-bit integers as numbers where that is exact, so that templates and JSON take them. */
const plain = (value: unknown): unknown => {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
};

/** Rows of a Parquet file. Left: the file is broken or compressed in a way that is not known here. */
export const parseParquet = async (file: ArrayBuffer): Promise<E.Either<string, readonly RawRow[]>> => {
  try {
    const rows = await parquetReadObjects({ file, compressors: COMPRESSORS });
    return E.right(
      rows.map((row, index) => ({ place: `row ${index + 1}`, fields: E.right(plain(row) as Record<string, unknown>) })),
    );
  } catch (error) {
    return E.left(`cannot be read as Parquet: ${error instanceof Error ? error.message : String(error)}`);
  }
};
