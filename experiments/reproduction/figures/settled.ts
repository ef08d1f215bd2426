/** What figures of simulated runs have in common: constants that were fitted, and what the paper does not say. */

export const FITTED: readonly string[] = [
  'fp32 efficiency of an A6000 and the bandwidth of the pipeline’s transfers: `constants.json`, on the rows of Llama-2-7B on four A6000 (Fig. 12b).',
];

export const LEFT_OPEN: readonly string[] = [
  'Microbatches: not stated. Four fit the 7B rows best and are used everywhere.',
  'Where the loss is computed: the text says on the last GPU, the released code does it on the first, to which fp32 logits travel. Curves named as in the paper are as released.',
  'FSDP’s batch: the released script has 8 on each rank; a batch of 8 over all ranks fits the 7B rows.',
];
