import { spawnSync } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import type { DeviceInfo } from '../backend/device.ts';

/** What the check found: the device, and the rate of a product of two matrices of 1024². */
export interface CheckResult {
  readonly device: DeviceInfo;
  readonly flopsPerSecond: number;
}

const MAIN = fileURLToPath(new URL(`check-tensorflow-main${extname(import.meta.url)}`, import.meta.url));

/** A library that does not load may end its process: the check has one of its own. */
export const checkTensorflow = (folder: string): E.Either<readonly string[], CheckResult> => {
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, [MAIN], {
    encoding: 'utf8',
    env: { ...process.env, MLORA_TENSORFLOW: folder },
  });
  const line = stdout.split('\n').find((each) => each.startsWith('{'));
  if (status === 0 && line !== undefined) return E.right(JSON.parse(line) as CheckResult);
  const words = stderr.trim().split('\n').slice(-10).join('\n');
  return E.left([`the check ended with ${signal ?? `code ${status}`}:\n${words}`]);
};
