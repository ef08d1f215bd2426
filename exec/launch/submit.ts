import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import * as E from 'fp-ts/lib/Either.js';

const run = promisify(execFile);

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'ENOENT') return 'there is no sbatch on this machine; run this where Slurm is, or start the ranks yourself';
  return 'stderr' in error && typeof error.stderr === 'string' && error.stderr.trim() !== '' ? error.stderr.trim() : error.message;
};

/** Writes a batch script and hands it to Slurm; returns the job's number. Left: what Slurm says. */
export const submitScript = async (path: string, script: string, options: readonly string[] = []): Promise<E.Either<string, string>> => {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, script, { mode: 0o755 });
    const { stdout } = await run('sbatch', ['--parsable', ...options, path]);
    return E.right(stdout.trim().split(';')[0]!);
  } catch (error) {
    return E.left(`${path} could not be submitted: ${reasonOf(error)}`);
  }
};
