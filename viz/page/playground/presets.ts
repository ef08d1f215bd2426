import type { CustomCluster, JobSetup, Setup } from './setup.ts';

const LETTERS: readonly string[] = 'abcdefghijklmnopqrstuvwxyz'.split('');

const JOB: JobSetup = {
  name: 'a',
  rank: '16',
  batchSize: '8',
  iterations: '3',
  length: '512',
  spread: '0',
  arrival: '0',
};

const CUSTOM_CLUSTER: CustomCluster = {
  gpu: 'A100-80',
  machines: '1',
  devices: '4',
  link: 'nvlink',
  bandwidth: '300 GB/s',
  network: '25 Gbit/s',
};

/** So many jobs, alike but for their names. */
export const equalJobs = (count: number, job: Partial<JobSetup>): readonly JobSetup[] =>
  Array.from({ length: count }, (_, index) => ({ ...JOB, ...job, name: LETTERS[index] ?? `job-${index}` }));

/** A job to add to others: like the last of them, with a name of its own. */
export const anotherJob = (jobs: readonly JobSetup[]): JobSetup => {
  const names = new Set(jobs.map(({ name }) => name));
  const free = LETTERS.find((letter) => !names.has(letter));
  return { ...(jobs.at(-1) ?? JOB), name: free ?? `job-${jobs.length}` };
};

const BASE: Setup = {
  model: 'Llama-2-7B',
  precision: 'fp32',
  cluster: '4xA6000-pcie',
  custom: CUSTOM_CLUSTER,
  microbatches: '4',
  first: '1f1b',
  second: 'lorapp',
  jobs: equalJobs(4, {}),
};

export interface Preset {
  readonly name: string;
  readonly setup: Setup;
}

export const PRESETS: readonly Preset[] = [
  { name: 'Four adapters on four GPUs', setup: BASE },
  {
    name: 'Eight adapters, twenty iterations',
    setup: { ...BASE, jobs: equalJobs(8, { iterations: '20' }) },
  },
  { name: 'One adapter alone', setup: { ...BASE, jobs: equalJobs(1, { iterations: '6' }) } },
  {
    name: 'Rows of unequal lengths',
    setup: { ...BASE, precision: 'bf16', jobs: equalJobs(4, { iterations: '6', spread: '0.6' }) },
  },
  {
    name: 'Jobs that arrive later',
    setup: {
      ...BASE,
      jobs: equalJobs(4, { iterations: '4' }).map((job, index) => ({ ...job, arrival: index === 0 ? '0' : `${index * 5} s` })),
    },
  },
  {
    name: 'Eight machines on a slow network',
    setup: { ...BASE, model: 'TinyLlama-1.1B', cluster: '8x1-3090-1gbit', jobs: equalJobs(8, { iterations: '2' }), microbatches: '8' },
  },
];

export const FIRST_SETUP = BASE;
