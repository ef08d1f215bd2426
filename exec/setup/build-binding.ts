import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { BUILT, TFJS_NODE_VERSION, type BuildRecord } from '../backend/tensorflow-package.ts';
import { STAND_IN } from '../backend/tfjs-node.ts';
import type { Compiler } from './compiler.ts';
import { LIBRARIES, type TensorflowWheel } from './tensorflow-wheel.ts';
import type { TfjsNodeSource } from './tfjs-node-source.ts';

/** Everything that a build starts from. */
export interface BuildParts {
  readonly wheel: TensorflowWheel;
  readonly compiler: Compiler;
  readonly source: TfjsNodeSource;
}

/** Node-API is the same in every version of Node that has this version of it. */
const NODE_API_VERSION = 8;

const nodeApiHeaders = (): string =>
  join(dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json')), 'include');

const compilerArguments = (folder: string, { folder: tensorflow }: TensorflowWheel): readonly string[] => {
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(folder, BUILT.package, 'binding', file));
  const libraries = LIBRARIES[process.platform]!.map((file) => join(tensorflow, file));
  const linked = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : [];
  return [
    ...['-std=c++17', '-O2', '-fPIC', '-shared', `-DNAPI_VERSION=${NODE_API_VERSION}`],
    ...['-I', nodeApiHeaders(), '-I', join(tensorflow, 'include')],
    ...sources,
    ...['-o', join(folder, BUILT.binding)],
    ...libraries,
    ...linked,
    `-Wl,-rpath,${tensorflow}`,
  ];
};

/** What the package's JavaScript imports and its kernels do not need: the layers of TensorFlow.js, and TensorBoard's messages. */
const addStandIns = (folder: string): void => {
  for (const name of ['tfjs', 'tfjs-core']) {
    const module = join(folder, 'node_modules', '@tensorflow', name);
    mkdirSync(module, { recursive: true });
    writeFileSync(join(module, 'index.js'), STAND_IN);
  }
  writeFileSync(join(folder, BUILT.package, 'dist', 'proto', 'api_pb.js'), 'module.exports = {};\n');
};

const LAST_LINES = 30;

/** Compiles the package's binding against the wheel into a folder. Left: the compiler's words. */
export const buildBinding = (folder: string, { wheel, compiler, source }: BuildParts): E.Either<readonly string[], BuildRecord> => {
  source.unpack(join(folder, BUILT.package));
  addStandIns(folder);
  const { status, stderr, error } = spawnSync(compiler.command, compilerArguments(folder, wheel), { encoding: 'utf8' });
  if (status !== 0) {
    const words = (error?.message ?? stderr).trim().split('\n').slice(0, LAST_LINES).join('\n');
    return E.left([`${compiler.command} (${compiler.version}) could not compile the binding against TensorFlow ${wheel.version}:\n${words}`]);
  }
  const record: BuildRecord = {
    tfjsNode: TFJS_NODE_VERSION,
    tensorflow: wheel.version,
    libraries: wheel.folder,
    compiler: compiler.version,
  };
  writeFileSync(join(folder, BUILT.record), `${JSON.stringify(record, null, 2)}\n`);
  return E.right(record);
};
