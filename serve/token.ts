import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';

/** Where a token may come from instead of the server's own file. */
export const TOKEN_VARIABLE = 'MLORA_TOKEN';

const SHORTEST = 16;

/** Letters that a header carries as they are; no white space at the ends. */
const isToken = (text: string): boolean => /^[\x21-\x7e]+$/.test(text) && text.length >= SHORTEST;

/**
 * The token that clients have to show: the one in the file, or a fresh one that is put there for the server's user alone.
 * Throws where the file holds no token, rather than to let anybody in.
 */
export const openToken = async (path: string): Promise<string> => {
  try {
    await writeFile(path, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const token = (await readFile(path, 'utf8')).trim();
  if (!isToken(token)) throw new Error(`${path} holds no token: expected at least ${SHORTEST} printable characters without spaces`);
  await chmod(path, 0o600);
  return token;
};

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whether a request's `Authorization` header shows the token; takes as long for every wrong one. */
export const createTokenCheck = (token: string): ((header: string | undefined) => boolean) => {
  const expected = digest(token);
  return (header) => {
    const shown = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1] ?? '';
    return timingSafeEqual(digest(shown), expected);
  };
};
