import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { BackendName } from '../../exec/backend/backend.ts';
import { generate } from '../../exec/generate/generate.ts';
import { execution, type Failure } from '../failure.ts';

export interface GenerateFlags {
  readonly model: string;
  readonly adapter?: string;
  readonly prompt: string;
  readonly chat?: boolean;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
  readonly backend: BackendName | 'auto';
}

/** `mlora generate`: prints what base + adapter continue a prompt with. */
export const generateCommand = (flags: GenerateFlags): TE.TaskEither<Failure, void> =>
  pipe(
    generate({
      modelFolder: flags.model,
      adapterFolder: flags.adapter ?? null,
      prompt: flags.prompt,
      chat: flags.chat ?? false,
      maximumTokens: flags.maxTokens,
      temperature: flags.temperature,
      seed: flags.seed,
      backend: flags.backend,
    }),
    TE.bimap(execution, ({ text }) => void process.stdout.write(`${text}\n`)),
  );
