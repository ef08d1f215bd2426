import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { decodeFrame, encodeFrame, type FrameOrigin } from '../../../exec/transport/frame.ts';
import type { Frame, TensorFrame } from '../../../exec/transport/transport.ts';

const UINT32 = 0xffffffff;

const norms: fc.Arbitrary<Frame> = fc.record({
  direction: fc.constant('norm' as const),
  stage: fc.nat(0xffff),
  adapter: fc.nat(UINT32),
  iteration: fc.nat(UINT32),
  squaredNorm: fc.double(),
  sentNs: fc.nat(Number.MAX_SAFE_INTEGER),
});

const tensors: fc.Arbitrary<TensorFrame> = fc
  .array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 })
  .chain((shape) => {
    const size = shape.reduce((product, length) => product * length, 1);
    return fc.record({
      direction: fc.constantFrom('forward', 'backward'),
      stage: fc.nat(0xffff),
      microbatch: fc.nat(UINT32),
      shape: fc.constant(shape),
      values: fc.float32Array({ minLength: size, maxLength: size }),
      sentNs: fc.nat(Number.MAX_SAFE_INTEGER),
    });
  });

const credits: fc.Arbitrary<Frame> = fc.record({
  direction: fc.constant('credit' as const),
  of: fc.constantFrom('forward' as const, 'backward' as const),
  stage: fc.nat(0xffff),
  taken: fc.nat(),
  sentNs: fc.double({ noNaN: true }),
});
const frames = fc.oneof(tensors, norms, credits);

const origins: fc.Arbitrary<FrameOrigin> = fc.record({ run: fc.nat(UINT32), sender: fc.nat(0xffff), sequence: fc.nat(UINT32) });

const someFrame: TensorFrame = {
  direction: 'forward',
  stage: 1,
  microbatch: 2,
  shape: [2, 3],
  values: Float32Array.of(1, 2, 3, 4, 5, 6),
  sentNs: 7,
};
const someOrigin: FrameOrigin = { run: 8, sender: 0, sequence: 9 };

const reasonFor = (parts: readonly Uint8Array[]): string => {
  const decoded = decodeFrame(parts);
  if (E.isRight(decoded)) throw new Error('expected a refusal');
  return decoded.left;
};

describe('a frame', () => {
  it('comes back as it was sent', () => {
    fc.assert(
      fc.property(frames, origins, (frame, origin) => {
        expect(decodeFrame(encodeFrame(frame, origin))).toEqual(E.right({ frame, origin }));
      }),
    );
  });

  it('comes back from misaligned memory', () => {
    const [header, values] = encodeFrame(someFrame, someOrigin);
    const shifted = new Uint8Array(values.length + 1).subarray(1);
    shifted.set(values);
    expect(decodeFrame([header, shifted])).toEqual(E.right({ frame: someFrame, origin: someOrigin }));
  });

  it('is sent and received without copying its values', () => {
    const parts = encodeFrame(someFrame, someOrigin);
    const decoded = decodeFrame(parts);
    expect(parts[1].buffer).toBe(someFrame.values.buffer);
    expect(E.isRight(decoded) && (decoded.right.frame as TensorFrame).values.buffer).toBe(someFrame.values.buffer);
  });

  it('is refused wherever it is cut', () => {
    const [header, values] = encodeFrame(someFrame, someOrigin);
    for (let length = 0; length < header.length; length++) {
      expect(E.isLeft(decodeFrame([header.subarray(0, length), values]))).toBe(true);
    }
    expect(reasonFor([header, values.subarray(4)])).toBe('20 bytes of values where the header announces 24');
    expect(reasonFor([header])).toMatch(/1 parts/);
  });

  it('is refused with the reason when it is foreign', () => {
    const [header, values] = encodeFrame(someFrame, someOrigin);
    const changed = (at: number, byte: number): readonly Uint8Array[] => {
      const copy = header.slice();
      copy[at] = byte;
      return [copy, values];
    };
    expect(reasonFor([new Uint8Array(64), values])).toBe('not a frame of ours');
    expect(reasonFor(changed(4, 9))).toBe('frame version 9, this is version 3');
    expect(reasonFor(changed(5, 4))).toBe('unknown direction 4');
    expect(reasonFor(changed(5, 2))).toBe('unknown element type 0');
    expect(reasonFor(changed(6, 1))).toBe('unknown element type 1');
    expect(reasonFor(changed(48, 3))).toBe('24 bytes of values for shape [3, 3], which takes 36');
  });

  it('is refused when any one bit of it has changed', () => {
    const [header, values] = encodeFrame(someFrame, someOrigin);
    fc.assert(
      fc.property(fc.nat((header.length + values.length) * 8 - 1), (bit) => {
        const bytes = new Uint8Array([...header, ...values]);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        expect(E.isLeft(decodeFrame([bytes.slice(0, header.length), bytes.slice(header.length)]))).toBe(true);
      }),
      { numRuns: 500 },
    );
    const flipped = values.slice();
    flipped[5]! ^= 4;
    expect(reasonFor([header, flipped])).toBe('a frame whose checksum does not match its bytes');
  });

  it('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 3 }), (parts) => {
        expect(E.isLeft(decodeFrame(parts))).toBe(true);
      }),
    );
  });
});
