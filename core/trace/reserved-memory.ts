/**
 * What PyTorch's caching allocator would have reserved for a trace's memory. Every rise of a class is one allocation,
 * every fall frees the latest block of that size, or as many of the latest as it needs. Real tensors are smaller than
 * these, so this is fragmentation by whole microbatches: what unequal lengths leave behind. Rules of
 * c10/cuda/CUDACachingAllocator: allocations up to 1 MiB share segments of 2 MiB, up to 10 MiB segments of 20 MiB, larger
 * ones get multiples of 2 MiB; the best fitting free block is split unless 1 MiB or less would be left of a large one,
 * neighbours merge when freed, and segments that are free as a whole are given back when a new one would not fit.
 */
import { MEMORY_CLASS, MEMORY_CLASSES } from '../cost-model.ts';
import { MEBI } from '../units.ts';
import type { Trace } from './trace.ts';

const SMALL = MEBI;
const SMALL_SEGMENT = 2 * MEBI;
const MEDIUM = 10 * MEBI;
const MEDIUM_SEGMENT = 20 * MEBI;
const GRANULARITY = 2 * MEBI;

interface Block {
  bytes: number;
  isFree: boolean;
  readonly isSmall: boolean;
  before: Block | null;
  after: Block | null;
}

interface Allocator {
  readonly capacityBytes: number;
  reservedBytes: number;
  mostBytes: number;
  readonly free: Set<Block>;
}

/** The most bytes reserved on every device, the context included. */
export const reservedBytes = ({ memory, devices }: Trace): number[] => {
  const pools = devices.map(({ capacityBytes }) => ({
    allocator: { capacityBytes, reservedBytes: 0, mostBytes: 0, free: new Set<Block>() },
    contextBytes: 0,
    held: new Float64Array(MEMORY_CLASSES.length),
    blocks: MEMORY_CLASSES.map((): Block[] => []),
  }));
  for (let row = 0; row < memory.length; row++) {
    const pool = pools[memory.device[row]!]!;
    const memoryClass = memory.memoryClass[row]!;
    const change = memory.bytes[row]! - pool.held[memoryClass]!;
    pool.held[memoryClass] = memory.bytes[row]!;
    if (memoryClass === MEMORY_CLASS.context) pool.contextBytes = Math.max(pool.contextBytes, memory.bytes[row]!);
    else if (change > 0) pool.blocks[memoryClass]!.push(allocate(pool.allocator, change));
    else if (change < 0) free(pool.allocator, pool.blocks[memoryClass]!, -change);
  }
  return pools.map(({ allocator, contextBytes }) => allocator.mostBytes + contextBytes);
};

const allocate = (allocator: Allocator, bytes: number): Block => {
  const isSmall = bytes <= SMALL;
  const block = bestFit(allocator, bytes, isSmall) ?? reserve(allocator, bytes, isSmall);
  allocator.free.delete(block);
  block.isFree = false;
  const rest = block.bytes - bytes;
  if (rest > (isSmall ? 0 : SMALL)) split(allocator, block, bytes);
  return block;
};

const bestFit = ({ free: blocks }: Allocator, bytes: number, isSmall: boolean): Block | null => {
  let best: Block | null = null;
  for (const block of blocks) {
    if (block.isSmall === isSmall && block.bytes >= bytes && (best === null || block.bytes < best.bytes)) best = block;
  }
  return best;
};

const reserve = (allocator: Allocator, bytes: number, isSmall: boolean): Block => {
  const segment = isSmall ? SMALL_SEGMENT : bytes < MEDIUM ? MEDIUM_SEGMENT : Math.ceil(bytes / GRANULARITY) * GRANULARITY;
  if (allocator.reservedBytes + segment > allocator.capacityBytes) giveBack(allocator);
  allocator.reservedBytes += segment;
  allocator.mostBytes = Math.max(allocator.mostBytes, allocator.reservedBytes);
  return { bytes: segment, isFree: false, isSmall, before: null, after: null };
};

/** Segments none of which is in use. */
const giveBack = (allocator: Allocator): void => {
  for (const block of allocator.free) {
    if (block.before !== null || block.after !== null) continue;
    allocator.free.delete(block);
    allocator.reservedBytes -= block.bytes;
  }
};

const split = (allocator: Allocator, block: Block, bytes: number): void => {
  const rest: Block = { bytes: block.bytes - bytes, isFree: true, isSmall: block.isSmall, before: block, after: block.after };
  if (block.after !== null) block.after.before = rest;
  block.after = rest;
  block.bytes = bytes;
  allocator.free.add(rest);
};

/** Frees `bytes` of a class: the latest block of that size, or else the latest ones, of the last only a part. */
const free = (allocator: Allocator, blocks: Block[], bytes: number): void => {
  const exact = blocks.findLastIndex((block) => block.bytes === bytes);
  if (exact >= 0) {
    release(allocator, blocks.splice(exact, 1)[0]!);
    return;
  }
  let left = bytes;
  while (left > 0 && blocks.length > 0) {
    const block = blocks.pop()!;
    if (block.bytes > left) {
      split(allocator, block, block.bytes - left);
      const rest = block.after!;
      allocator.free.delete(rest);
      release(allocator, rest);
      blocks.push(block);
      return;
    }
    left -= block.bytes;
    release(allocator, block);
  }
};

const release = (allocator: Allocator, block: Block): void => {
  block.isFree = true;
  const { after, before } = block;
  if (after?.isFree === true) absorb(allocator, block, after);
  if (before?.isFree === true) {
    absorb(allocator, before, block);
    return;
  }
  allocator.free.add(block);
};

/** Joins a free block to the one right before it. */
const absorb = (allocator: Allocator, into: Block, block: Block): void => {
  allocator.free.delete(block);
  into.bytes += block.bytes;
  into.after = block.after;
  if (block.after !== null) block.after.before = into;
};
