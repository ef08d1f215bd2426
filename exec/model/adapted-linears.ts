import { type Tensor2D, add, addN, keep, mul, transpose, zeros } from '@tensorflow/tfjs-core';
import type { ModuleName } from '../../core/model/model.ts';
import { type LowRankSaved, backwardLowRank, forwardLowRank } from '../adapter/low-rank.ts';
import { peftName } from '../adapter/parameter-layout.ts';
import { scoped } from '../backend/scope.ts';
import type { BatchPartContext } from './batch-context.ts';
import { type FrozenLinear, applyLinear, applyLinearBackward } from './frozen-linear.ts';
import { joinRows, takeRows } from './row-ranges.ts';

/**
 * BatchLoRA (paper section 3.3): the rows of all adapters go through one product with the frozen weight; each adapter's
 * low-rank products run on its own rows only, forward and backward. Modules that read the same input form one group.
 */
export interface LinearGroup {
  readonly layer: number;
  readonly linears: readonly { readonly module: ModuleName; readonly frozen: FrozenLinear }[];
}

/** Saved tensors by module of the group, then by part; undefined where the part's adapter leaves the module alone. */
export type LinearGroupSaved = readonly (readonly (LowRankSaved | undefined)[])[];

/** Outputs of the group's modules, `[tokens, out]` each. */
export const forwardLinears = (
  { layer, linears }: LinearGroup,
  x: Tensor2D,
  parts: readonly BatchPartContext[],
): { outputs: readonly Tensor2D[]; saved: LinearGroupSaved } =>
  scoped(() => {
    const rows = parts.map((part) => rowsOf(x, part, parts));
    const results = linears.map(({ module, frozen }) => {
      const lowRank = parts.map((part, index) => forwardPart(part, layer, module, rows[index]!));
      const base = applyLinear(frozen, x);
      const deltas = lowRank.map((result) => result?.delta);
      return { output: addRows(base, deltas, parts), saved: lowRank.map((result) => result?.saved) };
    });
    return { outputs: results.map(({ output }) => output), saved: results.map(({ saved }) => saved) };
  });

/** With one part its rows are the whole tensor, and nothing is copied. */
const rowsOf = (tensor: Tensor2D, { range }: BatchPartContext, parts: readonly BatchPartContext[]): Tensor2D =>
  parts.length === 1 ? tensor : takeRows(tensor, range);

const forwardPart = ({ adapter, rows, training }: BatchPartContext, layer: number, module: ModuleName, x: Tensor2D) =>
  adapter.targets(module)
    ? forwardLowRank(adapter.operands(layer, module), x, training ? adapter.mask(layer, module, rows) : undefined)
    : undefined;

/** Adds each part's contribution to its own rows. */
const addRows = (
  base: Tensor2D,
  contributions: readonly (Tensor2D | undefined)[],
  parts: readonly BatchPartContext[],
): Tensor2D => {
  if (contributions.every((tensor) => tensor === undefined)) return base;
  const width = base.shape[1];
  return add(base, joinRows(contributions.map((tensor, index) => tensor ?? zeros([parts[index]!.range.count, width]))));
};

export interface LinearGroupBackward {
  readonly group: LinearGroup;
  /** Makes the input that the forward had; called only if an adapter needs it. */
  readonly x: () => Tensor2D;
  readonly saved: LinearGroupSaved;
  /** Gradients of the modules' outputs, in the group's order. */
  readonly gradients: readonly Tensor2D[];
  readonly parts: readonly BatchPartContext[];
  readonly needsInput: boolean;
}

/** Input gradient of the whole group, or undefined if not asked for; adapter gradients go to their parts. */
export const backwardLinears = (call: LinearGroupBackward): Tensor2D | undefined =>
  scoped(() => {
    const { group, gradients, parts, needsInput } = call;
    const x = once(call.x);
    const lowRank = parts.map((_, index) => backwardPart({ ...call, x }, index));
    if (!needsInput) return undefined;
    const base = addUp(group.linears.map(({ frozen }, index) => applyLinearBackward(frozen, gradients[index]!)));
    return addRows(base, lowRank, parts);
  });

const addUp = (tensors: readonly Tensor2D[]): Tensor2D => (tensors.length === 1 ? tensors[0]! : addN([...tensors]));

/** Runs one part through the group's modules; returns the input gradient of its low-rank paths. */
const backwardPart = (call: LinearGroupBackward, index: number): Tensor2D | undefined => {
  const { group, saved, gradients, parts, needsInput } = call;
  const part = parts[index]!;
  const { adapter } = part;
  if (!group.linears.some(({ module }) => adapter.targets(module))) return undefined;
  const x = rowsOf(call.x(), part, parts);
  const shared = adapter.masksInputs ? undefined : transpose(x);
  const towardsInput = group.linears.flatMap(({ module }, position) => {
    const own = saved[position]![index];
    if (own === undefined) return [];
    const result = backwardLowRank({
      operands: adapter.operands(group.layer, module),
      saved: own,
      inputTransposed: shared ?? transpose(own.mask === undefined ? x : mul<Tensor2D>(x, own.mask)),
      gradient: rowsOf(gradients[position]!, part, parts),
      needsInput,
    });
    part.gradients.set(peftName(group.layer, module, 'A'), keep(result.A));
    part.gradients.set(peftName(group.layer, module, 'B'), keep(result.B));
    return result.input === undefined ? [] : [result.input];
  });
  return towardsInput.length === 0 ? undefined : addUp(towardsInput);
};

const once = (make: () => Tensor2D): (() => Tensor2D) => {
  let made: Tensor2D | undefined;
  return () => (made ??= make());
};
