import { execFileSync } from 'node:child_process';
import * as E from 'fp-ts/lib/Either.js';

/** A C++ compiler and what it calls itself. */
export interface Compiler {
  readonly command: string;
  readonly version: string;
}

const versionOf = (command: string): string | null => {
  try {
    return execFileSync(command, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0]!.trim();
  } catch {
    return null;
  }
};

/** The first of these compilers that can be run. */
export const findCompiler = (commands: readonly string[]): E.Either<readonly string[], Compiler> => {
  for (const command of commands) {
    const version = versionOf(command);
    if (version !== null) return E.right({ command, version });
  }
  return E.left([`no C++ compiler: none of ${commands.join(', ')} can be run (Debian: apt-get install g++); CXX names another one`]);
};
