/**
 * PyTorch's caching allocator for GPU memory, as far as sizes go. Rules of c10/cuda/CUDACachingAllocator: allocations up to
 * 1 MiB share segments of 2 MiB, up to 10 MiB segments of 20 MiB, larger ones get multiples of 2 MiB; the best fitting free
 * block is split unless 1 MiB or less would be left of a large one; neighbours merge when freed; segments that are free as a
 * whole are given back only when a new one would not fit.
 */
import { MEBI } from '../units.ts';

const SMALL = MEBI;
const SMALL_SEGMENT = 2 * MEBI;
const MEDIUM = 10 * MEBI;
const MEDIUM_SEGMENT = 20 * MEBI;
const GRANULARITY = 2 * MEBI;

export interface Block {
  bytes: number;
  isFree: boolean;
  readonly isSmall: boolean;
  before: Block | null;
  after: Block | null;
}

export interface CachingAllocator {
  readonly capacityBytes: number;
  /** All segments. */
  reservedBytes: number;
  /** The most it was. */
  peakBytes: number;
  readonly free: Set<Block>;
}

export const createAllocator = (capacityBytes = Infinity): CachingAllocator => ({
  capacityBytes,
  reservedBytes: 0,
  peakBytes: 0,
  free: new Set(),
});

export const allocate = (allocator: CachingAllocator, bytes: number): Block => {
  const isSmall = bytes <= SMALL;
  const block = bestFit(allocator, bytes, isSmall) ?? reserve(allocator, bytes, isSmall);
  allocator.free.delete(block);
  block.isFree = false;
  if (block.bytes - bytes > (isSmall ? 0 : SMALL)) split(allocator, block, bytes);
  return block;
};

const bestFit = ({ free }: CachingAllocator, bytes: number, isSmall: boolean): Block | null => {
  let best: Block | null = null;
  for (const block of free) {
    if (block.isSmall === isSmall && block.bytes >= bytes && (best === null || block.bytes < best.bytes)) best = block;
  }
  return best;
};

const reserve = (allocator: CachingAllocator, bytes: number, isSmall: boolean): Block => {
  const segment = isSmall ? SMALL_SEGMENT : bytes < MEDIUM ? MEDIUM_SEGMENT : Math.ceil(bytes / GRANULARITY) * GRANULARITY;
  if (allocator.reservedBytes + segment > allocator.capacityBytes) giveBackSegments(allocator);
  allocator.reservedBytes += segment;
  allocator.peakBytes = Math.max(allocator.peakBytes, allocator.reservedBytes);
  return { bytes: segment, isFree: false, isSmall, before: null, after: null };
};

const giveBackSegments = (allocator: CachingAllocator): void => {
  for (const block of allocator.free) {
    if (block.before !== null || block.after !== null) continue;
    allocator.free.delete(block);
    allocator.reservedBytes -= block.bytes;
  }
};

const split = (allocator: CachingAllocator, block: Block, bytes: number): void => {
  const rest: Block = { bytes: block.bytes - bytes, isFree: true, isSmall: block.isSmall, before: block, after: block.after };
  if (block.after !== null) block.after.before = rest;
  block.after = rest;
  block.bytes = bytes;
  allocator.free.add(rest);
};

export const release = (allocator: CachingAllocator, block: Block): void => {
  block.isFree = true;
  const { after, before } = block;
  if (after?.isFree === true) absorb(allocator, block, after);
  if (before?.isFree === true) absorb(allocator, before, block);
  else allocator.free.add(block);
};

/** Joins a free block to the one right before it. */
const absorb = (allocator: CachingAllocator, into: Block, block: Block): void => {
  allocator.free.delete(block);
  into.bytes += block.bytes;
  into.after = block.after;
  if (block.after !== null) block.after.before = into;
};
