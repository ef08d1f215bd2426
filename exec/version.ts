import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Which mlora a process runs: processes of one run must agree. */
export interface Version {
  readonly number: string;
  /** Hash of the compiled code; null where the source runs as it is. */
  readonly build: string | null;
}

/** Folders of the code that a run's processes share. */
const FOLDERS = ['core', 'exec'] as const;

const folderAbove = (folder: string): string =>
  existsSync(join(folder, 'package.json')) || folder === dirname(folder) ? folder : folderAbove(dirname(folder));

const hashOf = (folder: string): string => {
  const hash = createHash('sha256');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js')).sort();
  for (const file of files) hash.update(file).update(readFileSync(join(folder, file)));
  return hash.digest('hex');
};

const readVersion = (): Version => {
  const own = fileURLToPath(import.meta.url);
  const description = JSON.parse(readFileSync(join(folderAbove(dirname(own)), 'package.json'), 'utf8')) as { readonly version: string };
  if (!own.endsWith('.js')) return { number: description.version, build: null };
  const hash = createHash('sha256');
  for (const folder of FOLDERS) hash.update(hashOf(join(dirname(own), '..', folder)));
  return { number: description.version, build: hash.digest('hex').slice(0, 12) };
};

let known: Version | null = null;

/** The version of this process's code. */
export const ownVersion = (): Version => (known ??= readVersion());

/** Unknown builds agree with every build of their number. */
export const isSameVersion = (a: Version, b: Version): boolean =>
  a.number === b.number && (a.build === null || b.build === null || a.build === b.build);

export const formatVersion = ({ number, build }: Version): string => (build === null ? number : `${number} (build ${build})`);
