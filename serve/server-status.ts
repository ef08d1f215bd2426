import type { ServerStatus } from '../core/served-job.ts';
import type { ServerOptions } from './server-options.ts';
import type { JobBook } from './state/job-book.ts';

export const createStatus = ({ version, setup, live, policyName }: ServerOptions, book: JobBook, isReady: () => boolean): (() => ServerStatus) => {
  const startedAt = new Date().toISOString();
  return () => ({
    version,
    name: setup.experiment.name,
    model: live.model.name,
    devices: live.devices,
    policy: policyName,
    slots: live.scheduler.slots,
    startedAt,
    ready: isReady(),
    jobs: book.counts(),
    lastEvent: book.lastEvent(),
  });
};
