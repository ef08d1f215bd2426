import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folders of the code that plans, prices and simulates, beside this one. */
const FOLDERS = ['core', 'sim'] as const;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /(?<!\.d)\.[jt]s$/.test(entry.name))
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort();

/** Hash of the code that a result comes from: other code's results are not taken for its own. */
export const codeIdentity = (): string => {
  const hash = createHash('sha256');
  for (const file of FOLDERS.flatMap((folder) => filesIn(join(ROOT, folder)))) hash.update(readFileSync(file));
  return hash.digest('hex');
};
