import { deserialize, serialize } from 'node:v8';
import * as E from 'fp-ts/lib/Either.js';

/**
 * Control messages as two message parts: who speaks which version, then the message in Node's structured clone format,
 * which keeps typed arrays as they are.
 */
const GREETING = 'mlora control 1';

export const encodeControl = (message: unknown): Uint8Array[] => [Buffer.from(GREETING), serialize(message)];

/** Left: why this is no control message of ours. */
export const decodeControl = (parts: readonly Uint8Array[]): E.Either<string, unknown> => {
  const [greeting = new Uint8Array(), body] = parts;
  if (body === undefined || parts.length !== 2) return E.left(`a control message of ${parts.length} parts`);
  const speaks = Buffer.from(greeting).toString('latin1');
  if (speaks !== GREETING) return E.left(`a control message from "${speaks.slice(0, 40)}", this is "${GREETING}"`);
  return E.tryCatch(
    () => deserialize(body) as unknown,
    (error) => `a control message that cannot be read: ${String(error)}`,
  );
};
