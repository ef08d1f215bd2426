import { fileURLToPath } from 'node:url';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { submitScript } from '../exec/launch/submit.ts';
import type { JoinSettings } from '../exec/launch/lead.ts';
import type { Failure } from './failure.ts';

/** Flags that all processes of a run share. */
export interface LaunchFlags {
  readonly out: string;
  /** Seconds. */
  readonly joinTimeout: number;
  readonly lineTimeout: number;
}

export interface SlurmFlags {
  readonly slurmArg: readonly string[];
}

export const joinSettings = ({ out, joinTimeout, lineTimeout }: LaunchFlags): JoinSettings => ({
  folder: out,
  joinSeconds: joinTimeout,
  silenceSeconds: lineTimeout,
});

/** Program and script of this command, for a batch script. */
export const ownCommand = (): readonly string[] => [process.execPath, fileURLToPath(new URL('./main.js', import.meta.url))];

export const submit = (path: string, script: string, options: readonly string[] = []): TE.TaskEither<Failure, string> =>
  pipe(
    () => submitScript(path, script, options),
    TE.mapLeft((message): Failure => ({ kind: 'failed', message })),
  );
