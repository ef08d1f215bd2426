import {
  Concat,
  type ConcatAttrs,
  type KernelFunc,
  Max,
  type MaxAttrs,
  Mean,
  type MeanAttrs,
  Reshape,
  type ReshapeAttrs,
  Slice,
  type SliceAttrs,
  Sum,
  type SumAttrs,
  type TensorInfo,
  Transpose,
  type TransposeAttrs,
  slice_util,
  util,
} from '@tensorflow/tfjs-core';
import { type KernelCall, inputOf, replaceKernel } from './replace-kernel.ts';
import type { NodeKernelBackend, OpAttribute, TrackedBinding } from './tfjs-node.ts';

/**
 * Kernels of the package that make a small tensor of indices for every call, upload it and delete it: two thirds of the
 * time of a reshape. Here such constants are made once. Its mean also copies its input. Other element types than float32
 * go to the package's own kernels.
 */
export const replaceSlowTensorflowKernels = (tracked: TrackedBinding): void => {
  const replace = (kernelName: string, call: (call: KernelCall) => Op): void =>
    replaceKernel('tensorflow', kernelName, (original) => floatKernel(tracked, original, call));
  replace(Reshape, (call) => ({
    name: 'Reshape',
    inputs: [inputOf(call, 'x')],
    constants: [(call.attrs as unknown as ReshapeAttrs).shape],
    attributes: types(tracked, 'T', 'Tshape'),
  }));
  replace(Transpose, (call) => ({
    name: 'Transpose',
    inputs: [inputOf(call, 'x')],
    constants: [(call.attrs as unknown as TransposeAttrs).perm],
    attributes: types(tracked, 'T', 'Tperm'),
  }));
  replace(Slice, (call) => {
    const x = inputOf(call, 'x');
    const { begin, size } = (call.attrs as unknown as SliceAttrs);
    return { name: 'Slice', inputs: [x], constants: slice_util.parseSliceParams(x, begin, size), attributes: types(tracked, 'T', 'Index') };
  });
  replace(Sum, (call) => reduction(tracked, 'Sum', inputOf(call, 'x'), (call.attrs as unknown as SumAttrs)));
  replace(Mean, (call) => reduction(tracked, 'Mean', inputOf(call, 'x'), (call.attrs as unknown as MeanAttrs)));
  replace(Max, (call) => {
    const { reductionIndices: axis, keepDims } = (call.attrs as unknown as MaxAttrs);
    return reduction(tracked, 'Max', inputOf(call, 'x'), { axis, keepDims });
  });
  replace(Concat, (call) => {
    const inputs = Object.values(call.inputs) as TensorInfo[];
    const count = { name: 'N', type: tracked.binding.TF_ATTR_INT, value: inputs.length };
    return {
      name: 'ConcatV2',
      inputs,
      constants: [(call.attrs as unknown as ConcatAttrs).axis],
      attributes: [count, ...types(tracked, 'T', 'Tidx')],
    };
  });
};

/** One call of TensorFlow: tensors, then constants of int32, a number alone as a scalar. */
interface Op {
  readonly name: string;
  readonly inputs: readonly TensorInfo[];
  readonly constants: readonly (number | number[])[];
  readonly attributes: OpAttribute[];
}

const floatKernel =
  (tracked: TrackedBinding, original: KernelFunc, opOf: (call: KernelCall) => Op): KernelFunc =>
  (call: KernelCall) => {
    if (Object.values(call.inputs).some((tensor) => tensor?.dtype !== 'float32')) return original(call as never);
    const backend = call.backend as NodeKernelBackend;
    const { name, inputs, constants, attributes } = opOf(call);
    const ids = backend.getInputTensorIds([...inputs]);
    for (const constant of constants) ids.push(tracked.constant(constant));
    return backend.createOutputTensor(backend.binding.executeOp(name, attributes, ids, 1)[0]!);
  };

/** The element types of an op on float32 tensors with int32 constants. */
const types = ({ binding }: TrackedBinding, values: string, indices: string): OpAttribute[] => [
  { name: values, type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
  { name: indices, type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 },
];

const reduction = (
  tracked: TrackedBinding,
  name: string,
  x: TensorInfo,
  { axis, keepDims }: { axis: number | number[]; keepDims: boolean },
): Op => ({
  name,
  inputs: [x],
  constants: [util.parseAxisParam(axis, x.shape)],
  attributes: [
    { name: 'keep_dims', type: tracked.binding.TF_ATTR_BOOL, value: keepDims },
    ...types(tracked, 'T', 'Tidx'),
  ],
});
