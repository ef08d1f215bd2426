import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { replaceSlowTensorflowKernels } from './tensorflow-kernels.ts';
import type { TensorflowPackage } from './tensorflow-package.ts';

/** One op for TensorFlow: attributes of its graph definition by name. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

interface TensorMetadata {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

/** What the compiled module exports, as far as it is used here; constants of TensorFlow's C interface beside it. */
export interface Binding {
  readonly createTensor: (shape: number[], dtype: number, values: unknown) => number;
  readonly deleteTensor: (id: number) => void;
  readonly executeOp: (name: string, attributes: OpAttribute[], inputs: number[], outputs: number) => TensorMetadata[];
  readonly isUsingGpuDevice: () => boolean;
  readonly TF_Version: string;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_INT: number;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
}

/** The package's kernel backend, as its kernels call it. */
export interface NodeKernelBackend extends tf.KernelBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: Binding;
  /** Ids of the binding's tensors; values that still wait on the host are uploaded. */
  readonly getInputTensorIds: (tensors: tf.TensorInfo[]) => number[];
  readonly createOutputTensor: (metadata: TensorMetadata) => tf.Tensor;
}

/** A binding that knows which tensors are alive. */
export interface TrackedBinding {
  readonly binding: Binding;
  /** Id of a vector of int32, or of a scalar, that is made once and stays. */
  readonly constant: (values: number | number[]) => number;
  readonly freeAll: () => void;
}

/** More constants than the shapes of a run need; then they are made anew. */
const MOST_CONSTANTS = 10_000;

/** The module keeps every tensor until it is told to delete it, and has no way to list them. */
const trackTensors = (original: Binding): TrackedBinding => {
  const alive = new Set<number>();
  const track = <T extends keyof Binding>(name: T, value: Binding[T]) => ({ [name]: { value } });
  const binding = Object.create(original, {
    ...track('createTensor', (shape, dtype, values) => {
      const id = original.createTensor(shape, dtype, values);
      alive.add(id);
      return id;
    }),
    ...track('executeOp', (name, attributes, inputs, outputs) => {
      const made = original.executeOp(name, attributes, inputs, outputs);
      for (const { id } of made) alive.add(id);
      return made;
    }),
    ...track('deleteTensor', (id) => {
      alive.delete(id);
      original.deleteTensor(id);
    }),
  }) as Binding;
  const constants = new Map<string, number>();
  const forget = (): void => {
    constants.forEach((id) => original.deleteTensor(id));
    constants.clear();
  };
  return {
    binding,
    constant: (values) => {
      const key = String(values);
      const name = typeof values === 'number' ? `scalar ${key}` : key;
      const known = constants.get(name);
      if (known !== undefined) return known;
      if (constants.size >= MOST_CONSTANTS) forget();
      const shape = typeof values === 'number' ? [] : [values.length];
      const id = original.createTensor(shape, original.TF_INT32, Int32Array.of(...[values].flat()));
      constants.set(name, id);
      return id;
    },
    freeAll: () => {
      alive.forEach((id) => original.deleteTensor(id));
      alive.clear();
      forget();
    },
  };
};

/** Name under which a built package's stand-in for `@tensorflow/tfjs` finds this process's TensorFlow.js. */
const CORE = 'mlora.tfjs-core';

/** The stand-in: the package's kernels need no more than the core, and it must be the one that everything else uses. */
export const STAND_IN = `module.exports = globalThis[Symbol.for('${CORE}')];\n`;

/** Loads the package's kernels and its binding and registers the backend `tensorflow`, as the package's own entry does. */
export const loadTfjsNode = ({ folder, binding: path }: TensorflowPackage): TrackedBinding => {
  Object.assign(globalThis, { [Symbol.for(CORE)]: tf });
  const require = createRequire(join(folder, 'package.json'));
  const tracked = trackTensors(require(path) as Binding);
  require('./dist/register_all_kernels.js');
  replaceSlowTensorflowKernels(tracked);
  const { NodeJSKernelBackend } = require('./dist/nodejs_kernel_backend.js') as {
    readonly NodeJSKernelBackend: new (binding: Binding, packageName: string) => NodeKernelBackend;
  };
  tf.registerBackend('tensorflow', () => new NodeJSKernelBackend(tracked.binding, 'mlora'), 3);
  return tracked;
};
