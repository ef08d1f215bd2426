import { readFileSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, relative, resolve } from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { parse, stringify } from 'yaml';
import { messageOf } from '../../core/error-message.ts';
import { resolveExperiment } from '../../core/experiment/read.ts';
import { parseYaml } from '../../core/experiment/yaml-text.ts';
import { formatProblems, problem, show } from '../../core/problem.ts';
import { convertReleasedConfig, type Conversion } from '../../core/released-config/convert.ts';
import { isRecord } from '../../core/structure.ts';
import { writeFileAtomically } from '../../exec/checkpoint/write-files.ts';
import { contextOf, readText } from '../../exec/run/open-experiment.ts';
import { badFiles, badInput, type Failure } from '../failure.ts';

export interface ImportFlags {
  readonly model: string;
  readonly cluster: string;
  /** Folder that the paths in the file are relative to: where the released code was started. */
  readonly root: string;
  /** Experiment file to write; standard output unless given. */
  readonly out?: string;
}

/** `mlora import`: a configuration of the released mLoRA code as an experiment file, with what was mapped and what was not. */
export const importCommand = (path: string, flags: ImportFlags): TE.TaskEither<Failure, void> =>
  pipe(
    readText(path),
    TE.mapLeft(badFiles),
    TE.chainEitherK((text) => pipe(parseYaml(text), E.mapLeft((problems) => badInput(path, problems)))),
    TE.chainEitherK((file) => convert(path, file, flags)),
    TE.chain((conversion) => write(conversion, flags)),
  );

const convert = (path: string, file: unknown, { model, cluster, root, out }: ImportFlags): E.Either<Failure, Conversion> => {
  if (!isRecord(file) || !Array.isArray(file.tasks)) {
    return E.left(badInput(path, [problem('', `is ${show(file)}; expected dispatcher, datasets, adapters and tasks`)]));
  }
  const folder = out === undefined ? process.cwd() : dirname(resolve(out));
  const conversion = convertReleasedConfig(file, {
    name: basename(path, extname(path)),
    model,
    cluster,
    promptFile: (name) => readHere(resolve(root, name)),
    relocate: (name) => (isAbsolute(name) ? name : relative(folder, resolve(root, name))),
  });
  if (conversion.experiment !== null) return E.right(conversion);
  return E.left(badInput(path, [problem('tasks', `none of them can be a job here:\n${conversion.unmapped.map((line) => `  ${line}`).join('\n')}`)]));
};

const readHere = (path: string): unknown => {
  try {
    return parse(readFileSync(path, 'utf8')) as unknown;
  } catch {
    return null;
  }
};

const say = (lines: readonly string[]): void => void process.stderr.write(`${lines.join('\n')}\n`);

const write = ({ experiment, mapped, unmapped }: Conversion, { out }: ImportFlags): TE.TaskEither<Failure, void> => {
  const text = stringify(experiment, { lineWidth: 0, aliasDuplicateObjects: false });
  say(['mapped:', ...mapped.map((line) => `  ${line}`), '', unmapped.length === 0 ? 'all of it was mapped' : 'not mapped:', ...unmapped.map((line) => `  ${line}`)]);
  const judged = resolveExperiment(experiment, contextOf(out === undefined ? process.cwd() : dirname(out)));
  if (E.isLeft(judged)) say(['', 'the experiment is not complete yet:', formatProblems(out ?? 'experiment', judged.left)]);
  return TE.tryCatch(
    async () => {
      if (out === undefined) process.stdout.write(text);
      else await writeFileAtomically(out, [new TextEncoder().encode(text)]);
    },
    (error): Failure => badInput(out ?? '', [problem('', `cannot be written: ${messageOf(error)}`)]),
  );
};
