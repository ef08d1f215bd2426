import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.ts';

/**
 * What is fitted for the paper's machines. `mlora validate` fits the same numbers again on the rows of Llama-2-7B on four
 * A6000; a test holds the two together.
 */
export interface PaperConstants {
  /** Pieces of each mini-batch; the paper does not say. */
  readonly microbatches: number;
  /** Share of the fp32 peak that products reach. */
  readonly fp32Efficiency: number;
  /** From device to device inside a machine: the released pipeline sends CPU tensors, so each hop copies through the host. */
  readonly pipelineGigabytesPerSecond: number;
  /** FSDP: a mini-batch of 8 for all ranks or for each; the released script has each. */
  readonly fsdpBatch: 'global' | 'perRank';
  /** Payload of 1 Gbit/s Ethernet; not fitted. */
  readonly networkMegabytesPerSecond: number;
}

export const readConstants = (): PaperConstants =>
  JSON.parse(readFileSync(join(PACKAGE_ROOT, 'experiments', 'reproduction', 'constants.json'), 'utf8')) as PaperConstants;
