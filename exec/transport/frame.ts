import { crc32 } from 'node:zlib';
import * as E from 'fp-ts/lib/Either.js';
import type { CreditFrame, Frame, NormFrame, TensorFrame } from './transport.ts';

/**
 * Header of a frame, little endian; the values follow as a message part of their own, so that they are neither copied nor
 * misaligned. Fields: u32 magic, u8 version, u8 direction, u8 element type, u8 dimensions, u32 run, u16 sender, u16 stage,
 * u32 microbatch or adapter, u32 sequence, f64 sentNs, f64 byteLength, u32 CRC-32 of the header without it and the values,
 * u32 iteration (0 for tensors), then one u32 per dimension. A norm is one f64 without dimensions, and so is a credit, whose
 * operand is the direction it is for.
 */
const FIXED_BYTES = 48;
const CHECKSUM_AT = 40;
const MAGIC = 0x41524f4c;
const VERSION = 3;
/** Element types: of tensors, of norms and credits. */
const FLOAT32 = 0;
const FLOAT64 = 1;
const ELEMENT_BYTES = [4, 8] as const;
const MAX_DIMENSIONS = 8;
const DIRECTIONS = ['forward', 'backward', 'norm', 'credit'] as const;
const FIRST_SCALAR = DIRECTIONS.indexOf('norm');

/** Who sends a frame in which run, and its place among the sender's frames of the same direction and stage. */
export interface FrameOrigin {
  /** Number drawn once per run: frames of other runs are foreign. */
  readonly run: number;
  readonly sender: number;
  readonly sequence: number;
}

/** What the header says of a frame's values, and the values themselves. */
const contentOf = (frame: Frame) => {
  switch (frame.direction) {
    case 'norm':
      return { element: FLOAT64, shape: [], operand: frame.adapter, iteration: frame.iteration, values: Float64Array.of(frame.squaredNorm) };
    case 'credit':
      return { element: FLOAT64, shape: [], operand: DIRECTIONS.indexOf(frame.of), iteration: 0, values: Float64Array.of(frame.taken) };
    default:
      return { element: FLOAT32, shape: frame.shape, operand: frame.microbatch, iteration: 0, values: frame.values };
  }
};

/** The two parts of a frame's message. A tensor's values are a view of the frame's, not a copy. */
export const encodeFrame = (frame: Frame, origin: FrameOrigin): readonly [Uint8Array, Uint8Array] => {
  const { element, shape, operand, iteration, values } = contentOf(frame);
  const header = new DataView(new ArrayBuffer(FIXED_BYTES + 4 * shape.length));
  header.setUint32(0, MAGIC, true);
  header.setUint8(4, VERSION);
  header.setUint8(5, DIRECTIONS.indexOf(frame.direction));
  header.setUint8(6, element);
  header.setUint8(7, shape.length);
  header.setUint32(8, origin.run, true);
  header.setUint16(12, origin.sender, true);
  header.setUint16(14, frame.stage, true);
  header.setUint32(16, operand, true);
  header.setUint32(20, origin.sequence, true);
  header.setFloat64(24, frame.sentNs, true);
  header.setFloat64(32, values.byteLength, true);
  header.setUint32(44, iteration, true);
  shape.forEach((size, i) => header.setUint32(FIXED_BYTES + 4 * i, size, true));
  const body = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  header.setUint32(CHECKSUM_AT, checksum(header, body), true);
  return [new Uint8Array(header.buffer), body];
};

/** What is wrong with a value travels on into every adapter of the microbatch, so that bytes are checked end to end. */
const checksum = (header: DataView, body: Uint8Array): number => {
  const bytes = new Uint8Array(header.buffer, header.byteOffset, header.byteLength);
  return crc32(body, crc32(bytes.subarray(CHECKSUM_AT + 4), crc32(bytes.subarray(0, CHECKSUM_AT))));
};

const asFloats = (bytes: Uint8Array): Float32Array =>
  bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0
    ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Float32Array.BYTES_PER_ELEMENT)
    : new Float32Array(bytes.slice().buffer);

const checkHeader = (header: DataView, partCount: number): string | null => {
  if (partCount !== 2) return `a message of ${partCount} parts instead of header and values`;
  if (header.byteLength < FIXED_BYTES) return `a header of ${header.byteLength} bytes, too short`;
  if (header.getUint32(0, true) !== MAGIC) return 'not a frame of ours';
  if (header.getUint8(4) !== VERSION) return `frame version ${header.getUint8(4)}, this is version ${VERSION}`;
  if (header.getUint8(5) >= DIRECTIONS.length) return `unknown direction ${header.getUint8(5)}`;
  const element = header.getUint8(5) >= FIRST_SCALAR ? FLOAT64 : FLOAT32;
  if (header.getUint8(6) !== element) return `unknown element type ${header.getUint8(6)}`;
  const dimensions = header.getUint8(7);
  if (dimensions > (element === FLOAT64 ? 0 : MAX_DIMENSIONS) || header.byteLength !== FIXED_BYTES + 4 * dimensions) {
    return `a header of ${header.byteLength} bytes for ${dimensions} dimensions`;
  }
  return null;
};

const checkLength = (shape: readonly number[], elementBytes: number, announced: number, found: number): string | null => {
  if (found !== announced) return `${found} bytes of values where the header announces ${announced}`;
  const needed = shape.reduce((product, size) => product * size, elementBytes);
  return needed === found ? null : `${found} bytes of values for shape [${shape.join(', ')}], which takes ${needed}`;
};

const readScalar = (body: Uint8Array): number => new DataView(body.buffer, body.byteOffset).getFloat64(0, true);

const readCredit = (header: DataView, body: Uint8Array): CreditFrame => ({
  direction: 'credit',
  of: header.getUint32(16, true) === 0 ? 'forward' : 'backward',
  stage: header.getUint16(14, true),
  taken: readScalar(body),
  sentNs: header.getFloat64(24, true),
});

const readNorm = (header: DataView, body: Uint8Array): NormFrame => ({
  direction: 'norm',
  stage: header.getUint16(14, true),
  adapter: header.getUint32(16, true),
  iteration: header.getUint32(44, true),
  squaredNorm: readScalar(body),
  sentNs: header.getFloat64(24, true),
});

const readTensor = (header: DataView, body: Uint8Array, shape: readonly number[]): TensorFrame => ({
  direction: header.getUint8(5) === 0 ? 'forward' : 'backward',
  stage: header.getUint16(14, true),
  microbatch: header.getUint32(16, true),
  shape,
  values: asFloats(body),
  sentNs: header.getFloat64(24, true),
});

/** Reads a frame back; a tensor's values are a view of the message where its alignment allows. Left: what is wrong with it. */
export const decodeFrame = (
  parts: readonly Uint8Array[],
): E.Either<string, { readonly frame: Frame; readonly origin: FrameOrigin }> => {
  const [head = new Uint8Array(), body = new Uint8Array()] = parts;
  const header = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const wrongHeader = checkHeader(header, parts.length);
  if (wrongHeader !== null) return E.left(wrongHeader);
  const shape = Array.from({ length: header.getUint8(7) }, (_, i) => header.getUint32(FIXED_BYTES + 4 * i, true));
  const wrongLength = checkLength(shape, ELEMENT_BYTES[header.getUint8(6)]!, header.getFloat64(32, true), body.byteLength);
  if (wrongLength !== null) return E.left(wrongLength);
  if (checksum(header, body) !== header.getUint32(CHECKSUM_AT, true)) return E.left('a frame whose checksum does not match its bytes');
  const origin = { run: header.getUint32(8, true), sender: header.getUint16(12, true), sequence: header.getUint32(20, true) };
  return E.right({ frame: readContent(header, body, shape), origin });
};

const readContent = (header: DataView, body: Uint8Array, shape: readonly number[]): Frame => {
  switch (DIRECTIONS[header.getUint8(5)]) {
    case 'norm':
      return readNorm(header, body);
    case 'credit':
      return readCredit(header, body);
    default:
      return readTensor(header, body, shape);
  }
};
