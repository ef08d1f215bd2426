import * as E from 'fp-ts/lib/Either.js';
import type { Cluster } from '../../../core/cluster/cluster.ts';
import { CLUSTER_PRESETS } from '../../../core/cluster/presets.ts';
import { buildCluster } from '../../../core/cluster/topology.ts';
import { formatProblems } from '../../../core/problem.ts';
import { NS_PER_MS } from '../../../core/units.ts';
import { simulateOneForwardOneBackward } from '../simulate-barrier.ts';
import type { AllReduceTable } from './all-reduce.ts';
import { gptCost, shapeOf, type GptAssumptions, type GptConstants } from './gpt-cost.ts';
import type { GptRun } from './rows.ts';

/** What all runs have in common. */
export interface GptMachine {
  readonly cluster: Cluster;
  readonly allReduces: AllReduceTable;
  readonly assumptions: GptAssumptions;
}

/** Eight A100 behind NVLink. */
export const gptMachine = (allReduces: AllReduceTable, assumptions: GptAssumptions): GptMachine => {
  const cluster = buildCluster(CLUSTER_PRESETS.get('8xA100-nvlink')!);
  if (E.isLeft(cluster)) throw new Error(formatProblems('8xA100-nvlink', cluster.left));
  return { cluster: cluster.right, allReduces, assumptions };
};

/** Milliseconds of one iteration under 1F1B, one device standing for the tensor-parallel devices of its stage. */
export const simulateRunMs = (run: GptRun, constants: GptConstants, { cluster, allReduces, assumptions }: GptMachine): number => {
  const { rows, length } = shapeOf(run);
  const layers = run.layers / run.pipelineParallel;
  const iterationNs = simulateOneForwardOneBackward({
    stages: Array.from({ length: run.pipelineParallel }, (_, stage) => ({
      device: stage,
      firstLayer: stage * layers,
      endLayer: (stage + 1) * layers,
    })),
    microbatches: run.globalBatch / run.dataParallel / run.microBatch,
    part: { rows, tokens: rows * length, squaredTokens: rows * length ** 2 },
    cost: gptCost(run, constants, allReduces, assumptions),
    cluster,
  });
  return iterationNs / NS_PER_MS;
};
