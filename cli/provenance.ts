import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { formatBytes } from '../core/units.ts';

/** What a result depends on besides its experiment, to be saved beside it. */
export interface Provenance {
  readonly command: string;
  readonly date: string;
  readonly commit: string | null;
  readonly machine: string;
  readonly node: string;
}

const commitOf = (folder: string): string | null => {
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
};

export const provenance = (): Provenance => ({
  command: ['mlora', ...process.argv.slice(2)].join(' '),
  date: new Date().toISOString(),
  commit: commitOf(fileURLToPath(new URL('.', import.meta.url))),
  machine: `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${formatBytes(totalmem())}`,
  node: process.version,
});
