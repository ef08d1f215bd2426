import type { PaperConstants } from '../../reproduction/constants.ts';
import type { PaperRun, PaperSystem } from '../../reproduction/paper-run.ts';
import type { Observation } from '../data-set.ts';
import { squaredErrors, type Pair } from '../one-device.ts';
import { createPredictor, type PipelineQuantity } from './predict.ts';

type Rows = readonly Observation<PaperRun, PipelineQuantity>[];

const MICROBATCHES = [1, 2, 4, 8];
const LOSSES = ['tail', 'head'] as const;
const RELEASES = ['greedy', 'staggered'] as const;

/** Payload of 1 Gbit/s Ethernet after framing; not fitted. Launches are those of single GPUs, which are no rows here. */
const NETWORK_MB_PER_SECOND = 117;

const START: PaperConstants = {
  microbatches: 4,
  release: 'greedy',
  loss: 'tail',
  pipelineGigabytesPerSecond: 1,
  collectiveGigabytesPerSecond: 13,
  launchMicroseconds: 0,
  fsdpBatch: 'global',
  networkMegabytesPerSecond: NETWORK_MB_PER_SECOND,
};

/** Bandwidths between which one is looked for, up to what PCIe 4.0 x16 has, and to how many digits it is kept. */
const BANDWIDTHS = [0.1, 32] as const;
const DIGITS = 3;
const HALVINGS = 10;

const bandwidth = (value: number): number => Number(value.toPrecision(DIGITS));

/** Where a growing excess changes its sign, in equal steps of the logarithm. */
const crossing = (excess: (value: number) => number): number => {
  let [low, high] = BANDWIDTHS.map(Math.log) as [number, number];
  for (let step = 0; step < HALVINGS; step++) {
    const middle = (low + high) / 2;
    if (excess(bandwidth(Math.exp(middle))) > 0) high = middle;
    else low = middle;
  }
  return bandwidth(Math.exp((low + high) / 2));
};

/**
 * What the paper leaves open, from the fit rows alone. For every number of microbatches and place of the loss the
 * bandwidth of transfers makes 1F1B as fast as it was; of all these and both releases the one with the least squared
 * error over 1F1B and LoRAPP is taken. The bandwidth of collectives is what TP and FSDP agree on best.
 */
export const fitPaper = (rows: Rows): PaperConstants => {
  const predict = createPredictor();
  const pairsOf = (systems: readonly PaperSystem[], constants: PaperConstants): Pair[] =>
    rows.flatMap(({ input, measured: { tokensPerSecond } }): Pair[] =>
      tokensPerSecond !== undefined && systems.includes(input.system) ? [[predict(input, constants).tokensPerSecond, tokensPerSecond]] : [],
    );
  const excessOf = (systems: readonly PaperSystem[], constants: PaperConstants): number =>
    pairsOf(systems, constants).reduce((sum, [predicted, measured]) => sum + predicted / measured - 1, 0);
  const pipelines = MICROBATCHES.flatMap((microbatches) =>
    LOSSES.flatMap((loss) => {
      const choice = { ...START, microbatches, loss };
      const pipelineGigabytesPerSecond = crossing((value) => excessOf(['1f1b'], { ...choice, pipelineGigabytesPerSecond: value }));
      return RELEASES.map((release): PaperConstants => ({ ...choice, release, pipelineGigabytesPerSecond }));
    }),
  );
  const errorOf = (constants: PaperConstants): number => squaredErrors(pairsOf(['1f1b', 'lorapp'], constants));
  const errors = pipelines.map(errorOf);
  const pipeline = pipelines[errors.indexOf(Math.min(...errors))]!;
  const collectiveGigabytesPerSecond = crossing((value) =>
    excessOf(['tensorParallel', 'fsdp'], { ...pipeline, collectiveGigabytesPerSecond: value }),
  );
  return { ...pipeline, collectiveGigabytesPerSecond };
};
