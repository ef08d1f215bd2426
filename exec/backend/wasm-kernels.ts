import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import {
  GatherV2,
  type GatherV2Attrs,
  type KernelFunc,
  Slice,
  type SliceAttrs,
  slice_util,
  util,
} from '@tensorflow/tfjs-core';
import { type KernelCall, inputOf, replaceKernel } from './replace-kernel.ts';

/**
 * Two kernels of the wasm backend copy far more than they return: `Slice` first copies its whole source out of the heap,
 * and `GatherV2` computes an index per element (14 and 27 ns an element, where a copy takes 0.2). Packed microbatches
 * are cut by row range all the time, so both are replaced here by plain copies of contiguous runs inside the heap.
 */
export const replaceSlowWasmKernels = (): void => {
  replaceKernel('wasm', Slice, () => slice);
  replaceKernel('wasm', GatherV2, gatherRowsOr);
};

const slice: KernelFunc = (call: KernelCall) => {
  const backend = call.backend as BackendWasm;
  const x = inputOf(call, 'x');
  const { begin: from, size: count } = call.attrs as unknown as SliceAttrs;
  const [begin = [], size = []] = slice_util.parseSliceParams(x, from, count);
  const out = backend.makeOutput(size, x.dtype);
  // Views are taken after the allocation: growing the heap detaches older ones.
  copyBlock({
    source: backend.typedArrayFromHeap(x),
    target: backend.typedArrayFromHeap(out),
    shape: x.shape,
    begin,
    size,
  });
  return out;
};

interface Block {
  readonly source: NumberArray;
  readonly target: NumberArray;
  readonly shape: readonly number[];
  readonly begin: readonly number[];
  readonly size: readonly number[];
}

type NumberArray = ReturnType<BackendWasm['typedArrayFromHeap']>;

/** Copies a block run by run; a run spans every trailing axis that is taken whole. */
const copyBlock = ({ source, target, shape, begin, size }: Block): void => {
  let axis = Math.max(shape.length - 1, 0);
  while (axis > 0 && size[axis] === shape[axis]) axis--;
  const run = util.sizeFromShape(size.slice(axis));
  if (run === 0) return;
  const strides = [...util.computeStrides([...shape]), 1];
  const index = begin.slice(0, axis);
  let offset = begin.reduce((sum, start, i) => sum + start * strides[i]!, 0);
  for (let written = 0; written < target.length; written += run) {
    target.set(source.subarray(offset, offset + run), written);
    offset += advance(index, begin, size, strides);
  }
};

/** Moves a multi-index to the next run in row-major order; returns the change of the flat offset. */
const advance = (
  index: number[],
  begin: readonly number[],
  size: readonly number[],
  strides: readonly number[],
): number => {
  let change = 0;
  for (let axis = index.length - 1; axis >= 0; axis--) {
    index[axis]!++;
    change += strides[axis]!;
    if (index[axis]! < begin[axis]! + size[axis]!) return change;
    index[axis] = begin[axis]!;
    change -= size[axis]! * strides[axis]!;
  }
  return change;
};

/** Gathers whole rows of a matrix; any other gather goes to the original kernel. */
const gatherRowsOr =
  (original: KernelFunc): KernelFunc =>
  (call: KernelCall) => {
    const x = inputOf(call, 'x');
    const indices = inputOf(call, 'indices');
    const { axis, batchDims } = call.attrs as unknown as GatherV2Attrs;
    if (x.shape.length !== 2 || indices.shape.length !== 1 || axis !== 0 || batchDims !== 0)
      return original(call as never);
    const backend = call.backend as BackendWasm;
    const width = x.shape[1]!;
    const out = backend.makeOutput([indices.shape[0]!, width], x.dtype);
    const source = backend.typedArrayFromHeap(x);
    const target = backend.typedArrayFromHeap(out);
    backend.typedArrayFromHeap(indices).forEach((row, position) => {
      if (row < 0 || row >= x.shape[0]!) throw new RangeError(`row ${row} is not in [0, ${x.shape[0]!})`);
      target.set(source.subarray(row * width, (row + 1) * width), position * width);
    });
    return out;
  };
