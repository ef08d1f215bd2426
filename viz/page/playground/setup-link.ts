import { FIRST_SETUP } from './presets.ts';
import { CUSTOM, type CustomCluster, type JobSetup, type Setup } from './setup.ts';

/**
 * A setup as the part of an address after `#`, short enough to share: `model=Llama-2-7B&…&job=16,8,3,512,0,0,a`. The
 * name of a job comes last, because it may contain anything.
 */
const PLAIN = ['model', 'precision', 'cluster', 'microbatches', 'first', 'second'] as const satisfies readonly (keyof Setup)[];
const CLUSTER_KEYS = ['gpu', 'machines', 'devices', 'link', 'bandwidth', 'network'] as const satisfies readonly (keyof CustomCluster)[];
const JOB_KEYS = ['rank', 'batchSize', 'iterations', 'length', 'spread', 'arrival'] as const satisfies readonly (keyof JobSetup)[];

/** More jobs than anyone looks at: an address cannot make the page build a form without end. */
export const MOST_JOBS = 64;

const jobText = (job: JobSetup): string => [...JOB_KEYS.map((key) => job[key].replaceAll(',', ' ')), job.name].join(',');

const jobOf = (text: string): JobSetup => {
  const parts = text.split(',');
  const values = JOB_KEYS.map((key, index) => [key, parts[index] ?? ''] as const);
  return { ...(Object.fromEntries(values) as Record<(typeof JOB_KEYS)[number], string>), name: parts.slice(JOB_KEYS.length).join(',') };
};

export const formatSetupLink = (setup: Setup): string => {
  const params = new URLSearchParams(PLAIN.map((key) => [key, setup[key]]));
  if (setup.cluster === CUSTOM) for (const key of CLUSTER_KEYS) params.set(key, setup.custom[key]);
  for (const job of setup.jobs) params.append('job', jobText(job));
  return params.toString();
};

/** The setup of an address; what it does not say is as in the first preset. */
export const readSetupLink = (hash: string): Setup => {
  const params = new URLSearchParams(hash.replace(/^#/, ''));
  const plain = PLAIN.map((key) => [key, params.get(key) ?? FIRST_SETUP[key]]);
  const custom = CLUSTER_KEYS.map((key) => [key, params.get(key) ?? FIRST_SETUP.custom[key]]);
  const jobs = params.getAll('job').slice(0, MOST_JOBS).map(jobOf);
  return {
    ...(Object.fromEntries(plain) as Record<(typeof PLAIN)[number], string>),
    custom: Object.fromEntries(custom) as Record<(typeof CLUSTER_KEYS)[number], string>,
    jobs: jobs.length > 0 ? jobs : FIRST_SETUP.jobs,
  };
};
