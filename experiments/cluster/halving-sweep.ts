/** A sweep of 32 trials on one pipeline: all to their end, and by successive halving. */
import type { Experiment } from '../../core/experiment/experiment.ts';
import { createGrouper } from '../../core/scheduler/grouping.ts';
import type { Halving } from '../../core/scheduler/halving.ts';
import { firstComeFirstServed } from '../../core/scheduler/policy.ts';
import { shuffled } from '../../core/shuffled.ts';
import { fastForward } from '../../sim/cluster/fast-forward.ts';
import { pipelineModel } from '../../sim/cluster/pipeline-model.ts';
import { steadyRates } from '../../sim/cluster/steady-rate.ts';
import { lossCurves, trialGrid } from './loss-curves.ts';

export interface SweepOutcome {
  /** Lowest loss of a trial at its end, and the trial. */
  readonly bestLoss: number;
  readonly bestTrial: string;
  /** Time that devices computed. */
  readonly deviceSeconds: number;
  readonly makespanSeconds: number;
}

const ITERATIONS = 640;
const EVALUATE_EVERY = 40;
const HALVING: Halving = { name: 'sweep', trials: 32, reduction: 4, rungs: [40, 160] };

const unasked = (): never => {
  throw new Error('lengths are drawn, not read');
};

/** `experiment`: its first job is what every trial trains; evaluations cost nothing here. */
export const runSweep = (experiment: Experiment, seed: number, halves: boolean): SweepOutcome => {
  const model = pipelineModel(experiment, { rowCount: unasked, part: unasked, heldout: unasked });
  const grouper = createGrouper({ predict: model.predict, mostGroups: 8, microbatches: [1, 2, 4, 8], leastGain: 0.01 });
  const trials = new Map(trialGrid().map((trial) => [`rate-${trial.learningRate}-rank-${trial.rank}`, trial]));
  const curves = lossCurves([...trials.values()], { seed, every: EVALUATE_EVERY, iterations: ITERATIONS });
  const lossOf = (id: string, iteration: number): number => curves[[...trials.keys()].indexOf(id)]![iteration / EVALUATE_EVERY - 1]!;
  // A grid in order is the worst case: where losses fall along it, every trial is the best so far.
  const order = shuffled([...trials.keys()], seed);
  const { jobs, busyNs, endNs } = fastForward({
    scheduler: { policy: firstComeFirstServed, budgetBytes: [model.budgetBytes], slots: 8, mayJoin: grouper.mayJoin },
    grouper,
    kindOf: model.kindOf,
    rateOf: steadyRates(model),
    arrivals: order.map((id) => ({ timeNs: 0, job: model.spec(0, { id, iterations: ITERATIONS, ...(halves ? { sweep: HALVING } : {}) }) })),
    evaluation: { every: EVALUATE_EVERY, lossOf: ({ id }, iteration) => lossOf(id, iteration) },
  });
  const finished = jobs.filter(({ outcome }) => outcome === 'completed').map(({ spec }) => ({ id: spec.id, loss: lossOf(spec.id, ITERATIONS) }));
  const best = finished.reduce((lowest, each) => (each.loss < lowest.loss ? each : lowest));
  return { bestLoss: best.loss, bestTrial: best.id, deviceSeconds: busyNs / 1e9, makespanSeconds: endNs / 1e9 };
};
