import type { NamedArray } from '../stage.ts';
import { writeFileAtomically } from './write-files.ts';

/** Data starts at a multiple of this many bytes, as in files of the reference implementation. */
const ALIGNMENT = 8;

/** A safetensors file of F32 tensors, sorted by name, as consecutive chunks; names must differ. */
export const encodeSafetensors = (tensors: readonly NamedArray[]): readonly Uint8Array[] => {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let end = 0;
  for (const { name, shape, values } of sorted) {
    if (Object.hasOwn(header, name)) throw new Error(`two tensors are called ${name}`);
    header[name] = { dtype: 'F32', shape, data_offsets: [end, (end += values.byteLength)] };
  }
  return [...encodeHeader(header), ...sorted.map(({ values }) => bytesOf(values))];
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
