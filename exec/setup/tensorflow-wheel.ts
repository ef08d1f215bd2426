import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';

/** An installed TensorFlow with the C interface: shared libraries and headers. */
export interface TensorflowWheel {
  /** Folder with the shared libraries and `include`. */
  readonly folder: string;
  readonly version: string;
}

/** File names of the two libraries that a wheel brings, by platform. */
export const LIBRARIES: Readonly<Partial<Record<NodeJS.Platform, readonly [string, string]>>> = {
  linux: ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'],
  darwin: ['libtensorflow_cc.2.dylib', 'libtensorflow_framework.2.dylib'],
};

/** Finds the folder without importing TensorFlow, which takes seconds and may fail by itself. */
const QUESTION = `
import importlib.util, json, sys
spec = importlib.util.find_spec('tensorflow')
print(json.dumps({'python': sys.version.split()[0], 'folder': spec and spec.submodule_search_locations[0]}))
`;

interface Answer {
  readonly python: string;
  readonly folder: string | null;
}

const ask = (python: string): Answer | null => {
  try {
    return JSON.parse(execFileSync(python, ['-c', QUESTION], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) as Answer;
  } catch {
    return null;
  }
};

const INSTALL = "pip install tensorflow-cpu, or pip install 'tensorflow[and-cuda]' for an NVIDIA GPU";

/** What is missing in a folder that should hold TensorFlow. */
const checkFolder = (folder: string): readonly string[] => {
  const libraries = LIBRARIES[process.platform];
  if (libraries === undefined) return [`wheels for ${process.platform} carry no library to link with; use Linux or macOS`];
  return [...libraries, 'include/tensorflow/c/c_api.h', 'include/tensorflow/c/eager/c_api.h']
    .filter((file) => !existsSync(join(folder, file)))
    .map((file) => `${join(folder, file)} is missing: that is no TensorFlow 2 wheel for ${process.platform}`);
};

/** pip puts a folder of metadata beside it: tensorflow_cpu-2.21.0.dist-info. */
const versionOf = (folder: string): string => {
  const names = readdirSync(dirname(folder)).flatMap((name) => /^(?:tensorflow|tf_nightly)[^-]*-([^-]+)\.dist-info$/.exec(name)?.[1] ?? []);
  return names[0] ?? 'of unknown version';
};

/** The wheel in a folder. */
export const wheelInFolder = (folder: string): E.Either<readonly string[], TensorflowWheel> => {
  if (!existsSync(folder)) return E.left([`${folder} does not exist`]);
  const problems = checkFolder(folder);
  return problems.length === 0 ? E.right({ folder, version: versionOf(folder) }) : E.left(problems);
};

/** The wheel that one of these Pythons has; Left: what each of them lacks. */
export const findWheel = (pythons: readonly string[]): E.Either<readonly string[], TensorflowWheel> => {
  const problems: string[] = [];
  for (const python of new Set(pythons)) {
    const answer = ask(python);
    if (answer === null) problems.push(`${python}: no such Python can be run`);
    else if (answer.folder === null) problems.push(`${python} (Python ${answer.python}) has no tensorflow: ${INSTALL}`);
    else return wheelInFolder(answer.folder);
  }
  return E.left(problems);
};
