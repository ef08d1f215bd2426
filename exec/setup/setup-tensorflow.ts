import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { findDownloaded, tensorflowFolder } from '../backend/tensorflow-package.ts';
import { type BuildParts, buildBinding } from './build-binding.ts';
import { type CheckResult, checkTensorflow } from './check-tensorflow.ts';
import { findCompiler } from './compiler.ts';
import { findWheel, wheelInFolder } from './tensorflow-wheel.ts';
import { findTfjsNodeSource } from './tfjs-node-source.ts';

export interface SetupOptions {
  /** Folder of an installed TensorFlow; absent: the one of a Python. */
  readonly tensorflow?: string;
  /** Python to ask instead of those of the environment. */
  readonly python?: string;
  /** File of the package @tensorflow/tfjs-node, for machines without the registry. */
  readonly package?: string;
  /** Build even where npm's own download works. */
  readonly build?: boolean;
  readonly say: (line: string) => void;
}

const pythonsOf = ({ python }: SetupOptions): readonly string[] => {
  if (python !== undefined) return [python];
  const { MLORA_PYTHON: own, VIRTUAL_ENV: environment } = process.env;
  return [...(own === undefined ? [] : [own]), ...(environment === undefined ? [] : [join(environment, 'bin', 'python')]), 'python3', 'python'];
};

const compilers = (): readonly string[] => [...(process.env.CXX === undefined ? [] : [process.env.CXX]), 'g++', 'clang++', 'c++'];

/** Looks for everything a build needs, and says all that is missing. */
const findParts = (options: SetupOptions, downloads: string): E.Either<readonly string[], BuildParts> => {
  const wheel = options.tensorflow === undefined ? findWheel(pythonsOf(options)) : wheelInFolder(options.tensorflow);
  const compiler = findCompiler(compilers());
  const source = findTfjsNodeSource(options.package, downloads);
  if (E.isRight(wheel) && E.isRight(compiler) && E.isRight(source)) {
    return E.right({ wheel: wheel.right, compiler: compiler.right, source: source.right });
  }
  return E.left([wheel, compiler, source].flatMap((found) => (E.isLeft(found) ? found.left : [])));
};

const describe = ({ device, flopsPerSecond }: CheckResult): string =>
  `computes on ${device.kind === 'gpu' ? 'the GPU' : 'the processor'}: ${device.name}, ` +
  `${(flopsPerSecond / 1e9).toFixed(0)} GFLOP/s on 1024×1024 matrices, ${Object.entries(device.details).map(([name, value]) => `${name} ${value}`).join(', ')}`;

/** Takes the place of an earlier build only when it works. */
const buildAndCheck = (options: SetupOptions, building: string): E.Either<readonly string[], CheckResult> => {
  const parts = findParts(options, join(building, 'download'));
  if (E.isLeft(parts)) return parts;
  const { wheel, compiler, source } = parts.right;
  options.say(`TensorFlow ${wheel.version} in ${wheel.folder}`);
  options.say(`compiler ${compiler.version}`);
  options.say(`tfjs-node: ${source.origin}`);
  const start = performance.now();
  const record = buildBinding(building, parts.right);
  if (E.isLeft(record)) return record;
  options.say(`binding compiled in ${((performance.now() - start) / 1000).toFixed(0)} s`);
  return checkTensorflow(building);
};

const install = (building: string, folder: string): void => {
  rmSync(join(building, 'download'), { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
  renameSync(building, folder);
};

/** Makes native TensorFlow ready: npm's own download where it works, else a binding built against an installed wheel. Left: all that is missing. */
export const setupTensorflow = (options: SetupOptions): E.Either<readonly string[], CheckResult> => {
  const folder = tensorflowFolder();
  const building = `${folder}.building-${process.pid}`;
  if (options.build !== true && findDownloaded() !== null) {
    // No build lies there, so that the download is what the check finds.
    const check = checkTensorflow(building);
    if (E.isRight(check)) {
      options.say(`npm's own download works and is used as it is; ${describe(check.right)}`);
      return check;
    }
    options.say(`npm's own download does not work: ${check.left.join('\n')}`);
  }
  mkdirSync(dirname(folder), { recursive: true });
  try {
    const check = buildAndCheck(options, building);
    if (E.isLeft(check)) return check;
    install(building, folder);
    options.say(`ready in ${folder}; ${describe(check.right)}`);
    return check;
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
};
