import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import * as E from 'fp-ts/lib/Either.js';

/*
 * All processes of a run share one CURVE key pair (CurveZMQ, rfc.zeromq.org/spec/26). Who listens on a line takes it as its
 * own, who connects as its own and the other's: a connection is made only between holders of the secret.
 */

/** The pair in the text form that ZeroMQ takes. */
export interface RunKey {
  /** 64 hexadecimal digits: how the key travels between processes. */
  readonly secret: string;
  readonly curvePublicKey: string;
  readonly curveSecretKey: string;
}

/** Environment variable that holds the secret of a run's key. */
export const KEY_VARIABLE = 'MLORA_RUN_KEY';

const KEY_BYTES = 32;

/** rfc.zeromq.org/spec/32. */
const Z85 = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
const DIGITS = [85 ** 4, 85 ** 3, 85 ** 2, 85, 1];

/** Four bytes become five characters. */
export const encodeZ85 = (bytes: Buffer): string => {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    const value = bytes.readUInt32BE(at);
    for (const digit of DIGITS) text += Z85.charAt(Math.floor(value / digit) % 85);
  }
  return text;
};

/** The start of an X25519 private key in PKCS #8 (RFC 8410), before its 32 bytes. */
const PKCS8_START = Buffer.from('302e020100300506032b656e04220420', 'hex');

const publicKeyOf = (secret: Buffer): Buffer => {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_START, secret]), format: 'der', type: 'pkcs8' });
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES);
};

const keyOf = (secret: Buffer): RunKey => ({
  secret: secret.toString('hex'),
  curvePublicKey: encodeZ85(publicKeyOf(secret)),
  curveSecretKey: encodeZ85(secret),
});

export const drawRunKey = (): RunKey => keyOf(randomBytes(KEY_BYTES));

/** Left: what the secret should look like; it is not repeated. */
export const parseRunKey = (secret: string): E.Either<string, RunKey> =>
  /^[0-9a-f]{64}$/i.test(secret)
    ? E.right(keyOf(Buffer.from(secret, 'hex')))
    : E.left(`${KEY_VARIABLE} has ${secret.length} characters that are no key; expected 64 hexadecimal digits, as \`openssl rand -hex ${KEY_BYTES}\` prints them`);
