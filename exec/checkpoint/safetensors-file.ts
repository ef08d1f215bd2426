import { type FileHandle, open } from 'node:fs/promises';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';
import { type Problems, problem } from '../../core/problem.ts';
import { decodeFloats, isFloatType } from './element-type.ts';
import { type TensorEntries, type TensorEntry, parseSafetensorsHeader } from './safetensors-header.ts';

/** An open safetensors file; only the byte ranges asked for are read. */
export interface SafetensorsFile {
  readonly entries: TensorEntries;
  /** A tensor's bytes as they are stored. */
  readonly readBytes: (name: string) => Promise<E.Either<Problems, Uint8Array<ArrayBuffer>>>;
  /** Values of a float tensor, row-major, widened to float32. */
  readonly read: (name: string) => Promise<E.Either<Problems, Float32Array>>;
  readonly close: () => Promise<void>;
}

const LENGTH_BYTES = 8;
/** Limit of the reference implementation of safetensors (`MAX_HEADER_SIZE`). */
const MAX_HEADER_BYTES = 100_000_000;

/** Opens a safetensors file and checks its header; problems carry the tensor's name as path. */
export const openSafetensors = async (path: string): Promise<E.Either<Problems, SafetensorsFile>> => {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    return E.left([problem('', `cannot be opened: ${messageOf(error)}`)]);
  }
  const header = await readHeader(file).catch((error: unknown) => failure(`cannot be read: ${messageOf(error)}`));
  if (E.isLeft(header)) await file.close();
  return E.map(({ entries, dataStart }: Header) => openedFile(file, entries, dataStart))(header);
};

interface Header {
  readonly entries: TensorEntries;
  readonly dataStart: number;
}

const failure = (message: string, path = ''): E.Either<Problems, never> => E.left([problem(path, message)]);

const readHeader = async (file: FileHandle): Promise<E.Either<Problems, Header>> => {
  const { size } = await file.stat();
  if (size < LENGTH_BYTES) return failure(`has ${size} bytes; a safetensors file has at least ${LENGTH_BYTES}`);
  const prefix = await readBytes(file, 0, LENGTH_BYTES);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (length > size - LENGTH_BYTES) return failure(`its header claims ${length} bytes, the file has ${size}`);
  if (length > MAX_HEADER_BYTES)
    return failure(`its header claims ${length} bytes; at most ${MAX_HEADER_BYTES} are allowed`);
  const dataStart = LENGTH_BYTES + length;
  const json = new TextDecoder().decode(await readBytes(file, LENGTH_BYTES, length));
  return E.map((entries: TensorEntries) => ({ entries, dataStart }))(parseSafetensorsHeader(json, size - dataStart));
};

const readBytes = async (file: FileHandle, position: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new Error(`the file ends at byte ${position + done}, ${length - done} bytes early`);
    done += bytesRead;
  }
  return bytes;
};

const openedFile = (file: FileHandle, entries: TensorEntries, dataStart: number): SafetensorsFile => {
  const readEntry = async ({ name, begin, end }: TensorEntry): Promise<E.Either<Problems, Uint8Array<ArrayBuffer>>> => {
    try {
      return E.right(await readBytes(file, dataStart + begin, end - begin));
    } catch (error) {
      return failure(`cannot be read: ${messageOf(error)}`, name);
    }
  };
  const missing = (name: string): E.Either<Problems, never> => failure('the tensor is missing', name);
  return {
    entries,
    readBytes: async (name) => {
      const entry = entries.get(name);
      return entry === undefined ? missing(name) : readEntry(entry);
    },
    read: async (name) => {
      const entry = entries.get(name);
      if (entry === undefined) return missing(name);
      const { type } = entry;
      if (!isFloatType(type)) return failure(`holds ${type} values; F32, F16 and BF16 can be read`, name);
      return E.map((bytes: Uint8Array) => decodeFloats(bytes, type))(await readEntry(entry));
    },
    close: () => file.close(),
  };
};
