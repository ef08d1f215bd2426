import { SCHEDULE_NAMES } from '../../../core/experiment/schedule.ts';
import { MODEL_PRESETS } from '../../../core/model/presets.ts';

/**
 * What the form says, as it was typed: whether a value is possible is for the reader of experiments to say, so that
 * the page and the command line know the same rules.
 */
export interface Setup {
  readonly model: string;
  readonly precision: string;
  /** A preset's name, or `custom` for the fields of CustomCluster. */
  readonly cluster: string;
  readonly custom: CustomCluster;
  readonly microbatches: string;
  /** Names of schedule variants, drawn under each other. */
  readonly first: string;
  /** `none`: nothing is compared. */
  readonly second: string;
  readonly jobs: readonly JobSetup[];
}

export interface CustomCluster {
  readonly gpu: string;
  readonly machines: string;
  readonly devices: string;
  readonly link: string;
  readonly bandwidth: string;
  readonly network: string;
}

export interface JobSetup {
  readonly name: string;
  readonly rank: string;
  readonly batchSize: string;
  readonly iterations: string;
  /** Mean tokens of a row. */
  readonly length: string;
  /** σ of the logarithm of the lengths; 0: all rows are equally long. */
  readonly spread: string;
  readonly arrival: string;
}

export const CUSTOM = 'custom';
export const NONE = 'none';

/** Schedules by the name they have in the form: every one there is, and what LoRAPP can do otherwise. */
export const VARIANTS: ReadonlyMap<string, Readonly<Record<string, unknown>>> = new Map<string, Record<string, unknown>>([
  ...SCHEDULE_NAMES.map((type) => [type, { type }] as const),
  ['lorapp, greedy release', { type: 'lorapp', release: 'greedy' }],
  ['lorapp, gpipe order', { type: 'lorapp', order: 'gpipe' }],
]);

/** Times of NCCL's Simple protocol to start a transfer and to go over the wire, as the presets have them. */
const LATENCY = { pcie: '14.1 us', nvlink: '11.8 us' } as const;
const NETWORK_LATENCY = '50 us';

/** What was typed as the number it looks like; anything else stays text, for the reader to refuse. */
const value = (text: string): unknown => {
  const number = Number(text);
  return text.trim() === '' || Number.isNaN(number) ? text : number;
};

/** A value that is left out where nothing was typed. */
const optional = (key: string, text: string): Readonly<Record<string, unknown>> =>
  text.trim() === '' ? {} : { [key]: value(text) };

const clusterValue = ({ cluster, custom }: Setup): unknown => {
  if (cluster !== CUSTOM) return cluster;
  const { gpu, link, bandwidth, network } = custom;
  const machines = value(custom.machines);
  const latency = link === 'nvlink' ? LATENCY.nvlink : LATENCY.pcie;
  const machine = {
    gpu,
    count: value(custom.devices),
    interconnect: custom.devices.trim() === '1' ? null : { type: link, bandwidth, latency },
  };
  return {
    name: CUSTOM,
    machines: typeof machines === 'number' && machines >= 0 && machines <= 64 ? Array.from({ length: machines }, () => machine) : machines,
    network: machines === 1 ? null : { bandwidth: network, latency: NETWORK_LATENCY },
  };
};

const lengthsValue = ({ length, spread }: JobSetup, longest: number): unknown => {
  if (spread.trim() === '' || Number(spread) === 0) return { type: 'fixed', length: value(length) };
  const mean = value(length);
  const maximum = typeof mean === 'number' ? Math.max(1, Math.min(Math.ceil(4 * mean), longest)) : longest;
  return { type: 'lognormal', mean, sigma: value(spread), maximum };
};

const jobValue = (job: JobSetup, index: number, longest: number): unknown => ({
  name: job.name,
  adapter: { rank: value(job.rank) },
  data: { lengths: lengthsValue(job, longest) },
  batchSize: value(job.batchSize),
  iterations: value(job.iterations),
  seed: index,
  ...optional('arrival', job.arrival),
});

/** The setup as the content of an experiment file, with one of its schedules. */
export const experimentValue = (setup: Setup, variant: string): Readonly<Record<string, unknown>> => {
  const longest = MODEL_PRESETS.get(setup.model)?.maxPositions ?? 2048;
  return {
    name: 'playground',
    model: setup.model,
    precision: setup.precision,
    cluster: clusterValue(setup),
    schedule: { ...(VARIANTS.get(variant) ?? { type: variant }), ...optional('microbatches', setup.microbatches) },
    jobs: setup.jobs.map((job, index) => jobValue(job, index, longest)),
  };
};

/** Names of the schedules to plan, in the order of the picture. */
export const variantsOf = ({ first, second }: Setup): readonly string[] =>
  second === NONE || second === first ? [first] : [first, second];
