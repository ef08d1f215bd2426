import { constantCost } from '../../../sim/constant-cost.ts';
import type { CostModel } from '../../../core/cost-model.ts';
import type { MicrobatchShape, StagePlacement } from '../../../core/plan/plan.ts';
import type { EvaluationTurns, PartSize, Workload } from '../../../core/workload.ts';

/** Workloads and costs that planner tests are written with. */

export const oneLayerStages = (count: number): StagePlacement[] =>
  Array.from({ length: count }, (_, stage) => ({ device: stage, firstLayer: stage, endLayer: stage + 1 }));

export const deviceNames = (count: number): string[] => Array.from({ length: count }, (_, device) => `gpu${device}`);

export interface WorkloadOptions {
  readonly adapters: number;
  readonly microbatches: number;
  readonly iterations: number;
  readonly part?: (adapter: number, iteration: number, index: number) => PartSize;
  readonly clips?: (adapter: number) => boolean;
  readonly evaluation?: (adapter: number) => EvaluationTurns | undefined;
}

const UNIT: PartSize = { rows: 1, tokens: 1, squaredTokens: 1 };

export const workload = ({ adapters, microbatches, iterations, part = () => UNIT, clips = () => false, evaluation = () => undefined }: WorkloadOptions): Workload => ({
  adapters: Array.from({ length: adapters }, (_, adapter) => ({
    name: `adapter-${adapter}`,
    iterations,
    microbatches,
    arrivalNs: 0,
    priority: 0,
    part: (iteration, index) => part(adapter, iteration, index),
    clips: clips(adapter),
    ...withEvaluation(evaluation(adapter)),
  })),
});

const withEvaluation = (evaluation: EvaluationTurns | undefined) => (evaluation === undefined ? {} : { evaluation });

/** Held-out microbatches of one token each. */
export const heldoutEvery = (every: number, microbatches: number): EvaluationTurns => ({
  every,
  parts: Array.from({ length: microbatches }, () => UNIT),
});

const tokensOf = ({ parts }: MicrobatchShape): number => parts.reduce((sum, { tokens }) => sum + tokens, 0);

export interface UnitCostOptions {
  readonly forwardNs: number;
  readonly backwardNs: number;
  readonly stepNs?: number;
  readonly activationBytes?: number;
}

/** Times in proportion to tokens, the same on every stage; one byte travels; nothing resident. */
export const unitCost = ({ forwardNs, backwardNs, stepNs = 0, activationBytes = 0 }: UnitCostOptions): CostModel => ({
  ...constantCost({ forwardNs, backwardNs }),
  forward: (_stage, shape) => ({ deviceNs: forwardNs * tokensOf(shape), launchNs: 0 }),
  backward: (_stage, shape) => ({ deviceNs: backwardNs * tokensOf(shape), launchNs: 0 }),
  step: () => ({ deviceNs: stepNs, launchNs: 0 }),
  transferBytes: () => 1,
  activationBytes: (_stage, shape) => activationBytes * tokensOf(shape),
  transientBytes: () => ({ forward: 0, backward: 0 }),
  residentBytes: () => ({ baseWeights: 0, context: 0 }),
  adapterBytes: () => ({ adapters: 0, gradients: 0, optimizer: 0 }),
});
