import { type Tensor2D, add, addN, mul, zeros } from '@tensorflow/tfjs-core';
import type { ModuleName } from '../../core/model/model.ts';
import { type AdaptedSaved, type AdaptedGradients, backwardAdapted, forwardAdapted } from '../adapter/adapted-module.ts';
import { leftOperand } from '../backend/products.ts';
import { scoped } from '../backend/scope.ts';
import type { BatchPartContext } from './batch-context.ts';
import { type FrozenLinear, addBias, applyLinearBackward, applyWeight } from './frozen-linear.ts';
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
export type LinearGroupSaved = readonly (readonly (AdaptedSaved | undefined)[])[];

/** Outputs of the group's modules, `[tokens, out]` each. */
export const forwardLinears = (
  { layer, linears }: LinearGroup,
  x: Tensor2D,
  parts: readonly BatchPartContext[],
): { outputs: readonly Tensor2D[]; saved: LinearGroupSaved } =>
  scoped(() => {
    const rows = parts.map((part) => rowsOf(x, part, parts));
    const results = linears.map(({ module, frozen }) => {
      const product = applyWeight(frozen, x);
      const adapted = parts.map((part, index) =>
        forwardPart(part, { layer, module, frozen }, rows[index]!, () => rowsOf(product, part, parts)),
      );
      const deltas = adapted.map((result) => result?.delta);
      const output = addRows(addBias(frozen, product), deltas, parts);
      return { output, saved: adapted.map((result) => result?.saved) };
    });
    return { outputs: results.map(({ output }) => output), saved: results.map(({ saved }) => saved) };
  });

/** With one part its rows are the whole tensor, and nothing is copied. */
const rowsOf = (tensor: Tensor2D, { range }: BatchPartContext, parts: readonly BatchPartContext[]): Tensor2D =>
  parts.length === 1 ? tensor : takeRows(tensor, range);

interface Place {
  readonly layer: number;
  readonly module: ModuleName;
  readonly frozen: FrozenLinear;
}

const forwardPart = (
  { adapter, rows: span, training }: BatchPartContext,
  { layer, module, frozen }: Place,
  rows: Tensor2D,
  product: () => Tensor2D,
) =>
  adapter.targets(module)
    ? forwardAdapted({
        operands: adapter.operands(layer, module),
        rows,
        mask: training ? adapter.mask(layer, module, span) : undefined,
        product,
        throughWeight: (x) => applyWeight(frozen, x),
      })
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
    const adapted = parts.map((_, index) => backwardPart({ ...call, x }, index));
    if (!needsInput) return undefined;
    const base = group.linears.map(({ frozen }, position) => {
      const ownGradients = adapted.map((results) => results[position]?.throughBase);
      return applyLinearBackward(frozen, replaceRows(gradients[position]!, ownGradients, parts));
    });
    const deltas = adapted.map((results) => {
      const inputs = results.flatMap((result) => result?.input ?? []);
      return inputs.length === 0 ? undefined : addUp(inputs);
    });
    return addRows(addUp(base), deltas, parts);
  });

const addUp = (tensors: readonly Tensor2D[]): Tensor2D => (tensors.length === 1 ? tensors[0]! : addN([...tensors]));

/** A tensor with the rows of some parts replaced. */
const replaceRows = (
  tensor: Tensor2D,
  replacements: readonly (Tensor2D | undefined)[],
  parts: readonly BatchPartContext[],
): Tensor2D =>
  replacements.every((rows) => rows === undefined)
    ? tensor
    : joinRows(replacements.map((rows, index) => rows ?? rowsOf(tensor, parts[index]!, parts)));

/** Runs one part through the group's modules; undefined where the adapter leaves a module alone. */
const backwardPart = (call: LinearGroupBackward, index: number): readonly (AdaptedGradients | undefined)[] => {
  const { group, saved, gradients, parts, needsInput } = call;
  const part = parts[index]!;
  const { adapter } = part;
  if (!group.linears.some(({ module }) => adapter.targets(module))) return [];
  const x = rowsOf(call.x(), part, parts);
  const shared = adapter.masksInputs ? undefined : leftOperand(x);
  return group.linears.map(({ module, frozen }, position) => {
    const own = saved[position]![index];
    if (own === undefined) return undefined;
    const result = backwardAdapted({
      operands: adapter.operands(group.layer, module),
      saved: own,
      input: shared ?? leftOperand(own.mask === undefined ? x : mul<Tensor2D>(x, own.mask)),
      gradient: rowsOf(gradients[position]!, part, parts),
      weight: frozen.weight,
      needsInput,
    });
    adapter.trainedGradients(group.layer, module, result).forEach((gradient, name) => part.gradients.set(name, gradient));
    return result;
  });
};

const once = (make: () => Tensor2D): (() => Tensor2D) => {
  let made: Tensor2D | undefined;
  return () => (made ??= make());
};
