import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.ts';

/**
 * What is fitted for the paper's machines. `mlora validate` fits the same numbers again on the rows of Llama-2-7B on four
 * A6000 and on one; a test holds the two together.
 */
export interface PaperConstants {
  /** Pieces of each mini-batch; the paper does not say. */
  readonly microbatches: number;
  /** When microbatches enter the pipeline: staggered as ours, or greedy as the paper describes. */
  readonly release: 'staggered' | 'greedy';
  /** GPU of one machine that computes the loss; on eight machines it is the first, as released. */
  readonly loss: 'head' | 'tail';
  /** From device to device inside a machine: the released pipeline sends CPU tensors, so each hop copies through the host. */
  readonly pipelineGigabytesPerSecond: number;
  /** Bandwidth that NCCL's rings find between the GPUs of one machine. */
  readonly collectiveGigabytesPerSecond: number;
  /** Launch of a kernel in the single-GPU runs, under PEFT and bitsandbytes. */
  readonly launchMicroseconds: number;
  /** FSDP: a mini-batch of 8 for all ranks or for each; the released script has each. */
  readonly fsdpBatch: 'global' | 'perRank';
  /** Payload of 1 Gbit/s Ethernet; not fitted. */
  readonly networkMegabytesPerSecond: number;
}

export const readConstants = (): PaperConstants =>
  JSON.parse(readFileSync(join(PACKAGE_ROOT, 'experiments', 'reproduction', 'constants.json'), 'utf8')) as PaperConstants;
