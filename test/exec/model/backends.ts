import * as E from 'fp-ts/lib/Either.js';
import type { Backend, BackendName } from '../../../exec/backend/backend.ts';
import { openBackend } from '../../../exec/backend/open-backend.ts';

export const openOrThrow = async (name: BackendName): Promise<Backend> => {
  const backend = await openBackend(name);
  if (E.isLeft(backend)) throw new Error(backend.left.join('\n'));
  return backend.right;
};
