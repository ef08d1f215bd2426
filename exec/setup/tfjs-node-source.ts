import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { TFJS_NODE_PACKAGES, TFJS_NODE_VERSION } from '../backend/tensorflow-package.ts';

/** SHA-512 of @tensorflow/tfjs-node 4.22.0 as the npm registry has it. */
const SHA512 = 'uHrXeUlfgkMxTZqHkESSV7zSdKdV0LlsBeblqkuKU9nnfxB1pC6DtoyYVaLxznzZy7WQSegjcohxxCjAf6Dc7w==';

/** A way to the package's sources; `unpack` puts them into a folder. */
export interface TfjsNodeSource {
  readonly origin: string;
  readonly unpack: (folder: string) => void;
}

/** Packages whose installer could not download TensorFlow may still lie there, with all their sources. */
const installed = (): TfjsNodeSource | null => {
  const require = createRequire(import.meta.url);
  for (const name of TFJS_NODE_PACKAGES) {
    try {
      const file = require.resolve(`${name}/package.json`);
      const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
      if (version !== TFJS_NODE_VERSION || !existsSync(join(dirname(file), 'binding', 'tfjs_backend.cc'))) continue;
      return { origin: dirname(file), unpack: (folder) => copySources(dirname(file), folder) };
    } catch {
      continue;
    }
  }
  return null;
};

const copySources = (from: string, to: string): void => {
  for (const part of ['package.json', 'binding', 'dist']) cpSync(join(from, part), join(to, part), { recursive: true });
};

const unpackArchive = (archive: string, folder: string): void => {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', archive, '-C', folder, '--strip-components', '1']);
};

/** Why a file is not the package; null: it is. */
const checkArchive = (archive: string): string | null => {
  if (!existsSync(archive)) return `${archive} does not exist`;
  const sum = createHash('sha512').update(readFileSync(archive)).digest('base64');
  return sum === SHA512 ? null : `${archive} is not @tensorflow/tfjs-node ${TFJS_NODE_VERSION}: its SHA-512 is ${sum}`;
};

const fromArchive = (archive: string, origin: string): E.Either<readonly string[], TfjsNodeSource> => {
  const problem = checkArchive(archive);
  return problem === null ? E.right({ origin, unpack: (folder) => unpackArchive(archive, folder) }) : E.left([problem]);
};

const fromRegistry = (downloads: string): E.Either<readonly string[], TfjsNodeSource> => {
  const name = `@tensorflow/tfjs-node@${TFJS_NODE_VERSION}`;
  try {
    mkdirSync(downloads, { recursive: true });
    const file = execFileSync('npm', ['pack', name, '--silent', '--pack-destination', downloads], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return fromArchive(join(downloads, file.trim().split('\n').at(-1)!), `${name} from the npm registry`);
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n')[0] : String(error);
    return E.left([`${name} can neither be found in node_modules nor downloaded (${said}); download it elsewhere with npm pack ${name} and name the file with --package`]);
  }
};

/** The sources: a file that was named, an installed package, or the registry's. */
export const findTfjsNodeSource = (archive: string | undefined, downloads: string): E.Either<readonly string[], TfjsNodeSource> => {
  if (archive !== undefined) return fromArchive(resolve(archive), resolve(archive));
  const found = installed();
  return found === null ? fromRegistry(downloads) : E.right(found);
};
