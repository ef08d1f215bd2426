/** Bytes of one element of each safetensors type (format specification, `dtype`). */
const ELEMENT_BYTES = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
} as const;

export type ElementType = keyof typeof ELEMENT_BYTES;

export const isElementType = (name: unknown): name is ElementType =>
  typeof name === 'string' && Object.hasOwn(ELEMENT_BYTES, name);

export const elementBytes = (type: ElementType): number => ELEMENT_BYTES[type];

/** Types whose values this project reads. */
export type FloatType = 'F32' | 'F16' | 'BF16';

export const isFloatType = (type: ElementType): type is FloatType =>
  type === 'F32' || type === 'F16' || type === 'BF16';

/** Little-endian bytes of one of the float types as float32 values; the length must be a whole number of elements. */
export const decodeFloats = (bytes: Uint8Array, type: FloatType): Float32Array => {
  // A copy starts at an aligned address, which typed arrays need; all supported machines are little-endian.
  const { buffer } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const offset = bytes.byteOffset % 4 === 0 ? bytes.byteOffset : 0;
  if (type === 'F32') return new Float32Array(buffer, offset, bytes.byteLength / 4);
  const halves = new Uint16Array(buffer, offset, bytes.byteLength / 2);
  return type === 'BF16' ? widenBrainFloats(halves) : widenHalfFloats(halves);
};

/** A bfloat16 is the upper half of a float32. */
const widenBrainFloats = (halves: Uint16Array): Float32Array => {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
};

const widenHalfFloats = (halves: Uint16Array): Float32Array => {
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = halfToNumber(halves[i]!);
  return values;
};

/** IEEE 754 binary16: 1 sign, 5 exponent (bias 15) and 10 fraction bits. */
const halfToNumber = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
};

/** The nearest values of a float type, ties to even, as little-endian bytes. */
export const encodeFloats = (values: Float32Array, type: FloatType): Uint8Array => {
  if (type === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const halves = type === 'BF16' ? narrowToBrainFloats(values) : Uint16Array.from(values, numberToHalf);
  return new Uint8Array(halves.buffer);
};

const narrowToBrainFloats = (values: Float32Array): Uint16Array => {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  // Rounding the bits of a NaN could carry into an infinity.
  return Uint16Array.from(bits, (word, i) =>
    Number.isNaN(values[i]) ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16,
  );
};

const LARGEST_HALF = 65504;

/** IEEE 754 binary16 of a float32, which the arithmetic below holds exactly. */
const numberToHalf = (value: number): number => {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  // Half a step above the largest number everything rounds to infinity.
  if (size >= LARGEST_HALF + 16) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundToEven(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  // A fraction that rounds up to 2 carries into the exponent, as the bits lie side by side.
  return sign | (((exponent + 14) << 10) + roundToEven(size * 2 ** (10 - exponent)));
};

const roundToEven = (value: number): number => {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
};
