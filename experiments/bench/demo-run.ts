import { fileURLToPath } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import { buildCluster } from '../../core/cluster/topology.ts';
import { formatPlanError } from '../../core/planners/plan-error.ts';
import { formatProblems } from '../../core/problem.ts';
import type { BackendName } from '../../exec/backend/backend.ts';
import { planExperiment } from '../../sim/plan-experiment.ts';
import { formatExecError } from '../../exec/exec-error.ts';
import { openExperiment, type OpenExperiment } from '../../exec/run/open-experiment.ts';
import { trainExperiment, type TrainableExperiment } from '../../exec/run/train-experiment.ts';
import type { TrainResult } from '../../exec/run/train-options.ts';

/** Shipped files stand beside the compiled code's folder. */
const DEMO = fileURLToPath(new URL('../../../experiments/demo/demo.yaml', import.meta.url));

/** The shipped demo; benchmarks stop at the first thing that is wrong with it. */
export const openDemo = async (): Promise<OpenExperiment> => {
  const demo = await openExperiment(DEMO)();
  if (E.isLeft(demo)) throw new Error(demo.left.map(({ file, problems }) => formatProblems(file, problems)).join('\n'));
  return demo.right;
};

/** The experiment with some of its jobs, on the given number of devices of its cluster's first machine. */
export const planPart = (open: OpenExperiment, jobNames: readonly string[], deviceCount: number): TrainableExperiment => {
  const { clusterDescription, jobs, schedule } = open.experiment;
  const [machine] = clusterDescription.machines;
  const cluster = buildCluster({ ...clusterDescription, machines: [{ ...machine!, deviceCount }], network: null });
  if (E.isLeft(cluster)) throw new Error(formatProblems('cluster', cluster.left));
  const experiment = { ...open.experiment, cluster: cluster.right, jobs: jobs.filter(({ name }) => jobNames.includes(name)), schedule };
  const planned = planExperiment(experiment, { files: open.files });
  if (E.isLeft(planned)) throw new Error(formatPlanError(planned.left));
  if (experiment.modelSource.kind === 'preset' || open.trainJobs === null) throw new Error('the demo has a model folder and rows');
  return {
    experiment,
    modelFolder: experiment.modelSource.path,
    trainJobs: open.trainJobs.filter(({ job }) => jobNames.includes(job.name)),
    plan: planned.right.plan,
    cost: planned.right.cost,
  };
};

export const trainPart = async (part: TrainableExperiment, backend: BackendName = 'wasm'): Promise<TrainResult> => {
  const result = await trainExperiment(part, {
    backend,
    outputFolder: null,
    ranks: 'processes',
    onProgress: () => undefined,
  })();
  if (E.isLeft(result)) throw new Error(formatExecError(result.left));
  return result.right;
};
