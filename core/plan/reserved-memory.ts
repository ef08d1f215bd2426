import { residentBytesOf, type CostModel, type MemoryClass } from '../cost-model.ts';
import { allocate, createAllocator, release, type Block, type CachingAllocator } from './caching-allocator.ts';
import { createChanges, type Bytes } from './memory-need.ts';
import type { Plan } from './plan.ts';

/**
 * The most that PyTorch's allocator would reserve on a device while its program runs, the runtime's context beside it, as
 * nvidia-smi counts. Activations of a microbatch are one block a layer, everything else one block: real tensors are
 * smaller, so this is what microbatches of unequal size leave behind between them. Transfers in flight are not counted.
 */
export const reservedBytes = (plan: Plan, cost: CostModel, device: number, capacityBytes = Infinity): number => {
  const { kind, stage, operand, length } = plan.programs[device]!;
  const { context, ...resident } = residentBytesOf(cost, plan.stages, device);
  const allocator = createAllocator(capacityBytes - context);
  const held: Held = new Map();
  const operands = Math.max(plan.microbatches.length, plan.adapters.length);
  const changesOf = createChanges(plan, cost);
  take(allocator, held, resident, { key: NOBODY, layers: 1 });
  for (let at = 0; at < length; at++) {
    const { firstLayer, endLayer } = plan.stages[stage[at]!]!;
    const owner = { key: GROUPS * (stage[at]! * operands + operand[at]!), layers: Math.max(1, endLayer - firstLayer) };
    const { before, during, after } = changesOf(kind[at]!, stage[at]!, operand[at]!);
    take(allocator, held, before, owner);
    for (const block of blocksOf(allocator, during, 1)) release(allocator, block);
    giveBack(allocator, held, after, owner);
  }
  return allocator.peakBytes + context;
};

type Held = Map<number, Block[]>;

/** A microbatch or an adapter on a stage. */
interface Owner {
  readonly key: number;
  readonly layers: number;
}

/** Owner of what stays from start to end. */
const NOBODY = -3;
/** An owner's gathered weights, adapter state and saved activations are freed apart from each other. */
const GROUPS = 3;
const groupOf = (memoryClass: string, bytes: Bytes): number => (memoryClass === 'baseWeights' ? 0 : 'adapters' in bytes ? 1 : 2);

const take = (allocator: CachingAllocator, held: Held, bytes: Bytes, { key, layers }: Owner): void => {
  for (const name in bytes) {
    const blocks = blocksOf(allocator, { [name]: bytes[name as MemoryClass]! }, layers);
    const group = key + groupOf(name, bytes);
    const others = held.get(group);
    if (others === undefined) held.set(group, blocks);
    else others.push(...blocks);
  }
};

const giveBack = (allocator: CachingAllocator, held: Held, bytes: Bytes, { key }: Owner): void => {
  for (const name in bytes) {
    const group = key + groupOf(name, bytes);
    for (const block of held.get(group) ?? []) release(allocator, block);
    held.delete(group);
  }
};

const blocksOf = (allocator: CachingAllocator, bytes: Bytes, layers: number): Block[] => {
  const blocks: Block[] = [];
  for (const name in bytes) {
    const amount = bytes[name as MemoryClass]!;
    if (amount <= 0) continue;
    const pieces = name === 'activations' ? layers : 1;
    for (let piece = 0; piece < pieces; piece++) blocks.push(allocate(allocator, amount / pieces));
  }
  return blocks;
};
