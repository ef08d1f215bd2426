import type { Evaluation } from '../run/job-records.ts';
import type { LiveEvent } from './live-run.ts';

/** Losses of one job by iterations made; what was made again counts once. */
export interface JobLosses {
  readonly job: string;
  readonly training: readonly Evaluation[];
  readonly heldout: readonly Evaluation[];
}

/** Keeps the losses that a live run tells. */
export interface LiveLosses {
  readonly onEvent: (event: LiveEvent) => void;
  /** By job, in order of their first loss. */
  readonly all: () => readonly JobLosses[];
}

type Curves = Readonly<Record<'training' | 'heldout', Map<number, number>>>;

const points = (curve: ReadonlyMap<number, number>): readonly Evaluation[] =>
  [...curve].map(([iteration, loss]) => ({ iteration, loss })).sort((a, b) => a.iteration - b.iteration);

export const createLiveLosses = (): LiveLosses => {
  const jobs = new Map<string, Curves>();
  const curvesOf = (job: string): Curves => {
    const known = jobs.get(job) ?? { training: new Map<number, number>(), heldout: new Map<number, number>() };
    jobs.set(job, known);
    return known;
  };
  return {
    onEvent: (event) => {
      if (event.kind === 'iteration') curvesOf(event.job).training.set(event.iteration, event.loss);
      if (event.kind === 'evaluated') curvesOf(event.job).heldout.set(event.iteration, event.loss);
    },
    all: () => [...jobs].map(([job, { training, heldout }]) => ({ job, training: points(training), heldout: points(heldout) })),
  };
};
