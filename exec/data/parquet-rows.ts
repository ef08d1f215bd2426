import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import * as E from 'fp-ts/lib/Either.js';
import { parquetMetadataAsync, parquetReadObjects, parquetSchema, type Compressors, type FileMetaData } from 'hyparquet';
import { messageOf } from '../../core/error-message.ts';
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

type SchemaNode = ReturnType<typeof parquetSchema>;

const leavesOf = ({ path, children }: SchemaNode): readonly string[] => (children.length === 0 ? [path.join('.')] : children.flatMap(leavesOf));

/**
 * The library waits for the columns that it finds in the schema, and reads the others all the same: what is wrong with
 * one of those would be thrown where nobody can catch it.
 */
const checkColumns = (metadata: FileMetaData): void => {
  const expected = leavesOf(parquetSchema(metadata)).join(', ');
  for (const [index, { columns }] of metadata.row_groups.entries()) {
    const found = columns.map(({ meta_data: column }) => column?.path_in_schema.join('.')).join(', ');
    if (found !== expected) throw new Error(`row group ${index + 1} holds the columns ${found}; its schema has ${expected}`);
  }
};

/** Rows of a Parquet file. Left: the file is broken or compressed in a way that is not known here. */
export const parseParquet = async (file: ArrayBuffer): Promise<E.Either<string, readonly RawRow[]>> => {
  try {
    const metadata = await parquetMetadataAsync(file, { geoparquet: false });
    checkColumns(metadata);
    const rows = await parquetReadObjects({ file, metadata, compressors: COMPRESSORS });
    return E.right(
      rows.map((row, index) => ({ place: `row ${index + 1}`, fields: E.right(plain(row) as Record<string, unknown>) })),
    );
  } catch (error) {
    return E.left(`cannot be read as Parquet: ${messageOf(error)}`);
  }
};
