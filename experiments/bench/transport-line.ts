import * as E from 'fp-ts/lib/Either.js';
import { LOCAL_LINE, type LineOptions } from '../../exec/transport/line.ts';
import { parseRunKey } from '../../exec/transport/run-key.ts';

/** What both processes of the transport's benchmark know. */
export interface PeerSettings {
  readonly raw: boolean;
  readonly size: 'large' | 'small';
  /** Where the peer listens, and where the process that measures does. */
  readonly address: string;
  readonly parent: string;
  readonly secret: string | null;
}

export const RUN = 1;

/** A large tensor is a part of a stream, whose last one is answered; every small one is. */
export const REPLY_EVERY: Readonly<Record<PeerSettings['size'], number>> = { large: 32, small: 1 };
export const TENSOR_BYTES: Readonly<Record<PeerSettings['size'], number>> = { large: 16e6, small: 1024 };

export const lineOf = ({ secret }: PeerSettings): LineOptions => {
  if (secret === null) return LOCAL_LINE;
  const key = parseRunKey(secret);
  if (E.isLeft(key)) throw new Error(key.left);
  return { ...LOCAL_LINE, key: key.right };
};
