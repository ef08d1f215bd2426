/** What figures of simulated runs have in common: constants that were fitted, and what the paper does not say. */

export const FITTED: readonly string[] = [
  'On the rows of Llama-2-7B on four A6000: the fp32 rate and the runtime’s time in every pass (scorecard paper-fp32); microbatches, order of release, place of the loss, bandwidth of a pipeline’s transfers and of collectives (scorecard paper-pipelines, constants.json).',
];

export const LEFT_OPEN: readonly string[] = [
  'Microbatches: not stated. Four fit the 7B rows best and are used everywhere.',
  'Where the loss is computed: the text says on the last GPU, the released code does it on the first, to which fp32 logits travel. On one machine the 7B rows want the last one; on eight machines it is the first one, as released, unless a curve says otherwise.',
  'Order of release: greedy, as the paper describes it; the 7B rows prefer it to staggered release by a little.',
  'FSDP’s batch: the released script has 8 on each rank, which does not fit 7B; 8 over all ranks here. Each rank loads the whole model before it is sharded, and gathers run ahead in forward only (limit_all_gathers with units as small as a lora_A).',
  'Tensor parallelism: the released script, in which every module sums its own input gradient: 10.5 hidden-wide sums a layer.',
];
