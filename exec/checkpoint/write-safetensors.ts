import type { NamedArray } from '../stage.ts';
import { type ElementType, elementBytes } from './element-type.ts';
import { writeFileAtomically } from './write-files.ts';

/** Data starts at a multiple of this many bytes, as in files of the reference implementation. */
const ALIGNMENT = 8;

/** A tensor of a file to be written; `bytes` gives its stored values when their turn comes. */
export interface StoredTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly bytes: () => Uint8Array | Promise<Uint8Array>;
}

const byName = <T extends { readonly name: string }>(tensors: readonly T[]): readonly T[] =>
  [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));

const headerOf = (sorted: readonly Omit<StoredTensor, 'bytes'>[]): readonly Uint8Array[] => {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let end = 0;
  for (const { name, type, shape } of sorted) {
    if (Object.hasOwn(header, name)) throw new Error(`two tensors are called ${name}`);
    const begin = end;
    end += shape.reduce((product, size) => product * size, elementBytes(type));
    header[name] = { dtype: type, shape, data_offsets: [begin, end] };
  }
  return encodeHeader(header);
};

/** A safetensors file of F32 tensors, sorted by name, as consecutive chunks; names must differ. */
export const encodeSafetensors = (tensors: readonly NamedArray[]): readonly Uint8Array[] => {
  const sorted = byName(tensors);
  return [
    ...headerOf(sorted.map(({ name, shape }) => ({ name, shape, type: 'F32' }))),
    ...sorted.map(({ values }) => bytesOf(values)),
  ];
};

const encodeHeader = (header: Record<string, unknown>): readonly Uint8Array[] => {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil(json.length / ALIGNMENT) * ALIGNMENT).fill(0x20);
  padded.set(json);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(padded.length), true);
  return [length, padded];
};

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** Writes tensors as one safetensors file, whole or not at all; rejects with the system's error. */
export const writeSafetensors = (path: string, tensors: readonly NamedArray[]): Promise<void> =>
  writeFileAtomically(path, encodeSafetensors(tensors));

async function* storedChunks(tensors: readonly StoredTensor[]): AsyncGenerator<Uint8Array> {
  const sorted = byName(tensors);
  yield* headerOf(sorted);
  for (const { bytes } of sorted) yield bytes();
}

/** As `writeSafetensors`, for tensors of any type that are too many to hold at once. */
export const writeStoredTensors = (path: string, tensors: readonly StoredTensor[]): Promise<void> =>
  writeFileAtomically(path, storedChunks(tensors));
