import * as E from 'fp-ts/lib/Either.js';
import { resolveExperiment } from '../../core/experiment/read.ts';
import type { MemoryClass } from '../../core/cost-model.ts';
import { formatPlanError } from '../../core/planners/plan-error.ts';
import { summarize } from '../../core/trace/summary.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { formatBytes } from '../../core/units.ts';
import { formatFile } from '../../exec/exec-error.ts';
import { contextOf, openData, withAbsolutePaths } from '../../exec/run/open-experiment.ts';
import { formatDeadlock } from '../../sim/engine/deadlock.ts';
import { simulate } from '../../sim/engine/simulate.ts';
import { planExperiment } from '../../sim/plan-experiment.ts';
import type { PointResult } from './sweep.ts';

/** A point as it travels to a worker. */
export interface PointTask {
  readonly content: unknown;
  readonly folder: string;
}

/** Plans and simulates one experiment; throws where its data cannot be read. */
export const evaluatePoint = async ({ content, folder }: PointTask): Promise<PointResult> => {
  const experiment = resolveExperiment(content, contextOf(folder));
  if (E.isLeft(experiment)) throw new Error(formatFile({ file: folder, problems: experiment.left }));
  const open = await openData(withAbsolutePaths(folder, experiment.right))();
  if (E.isLeft(open)) throw new Error(open.left.map(formatFile).join('\n'));
  const planned = planExperiment(open.right.experiment, { files: open.right.files });
  if (E.isLeft(planned)) return withoutFigures('doesNotFit', formatPlanError(planned.left));
  const trace = simulate(planned.right.plan, planned.right.cost, open.right.experiment.cluster);
  return E.isLeft(trace) ? withoutFigures('deadlock', formatDeadlock(trace.left)) : resultOf(trace.right);
};

const withoutFigures = (outcome: PointResult['outcome'], detail: string): PointResult => ({
  outcome,
  makespanSeconds: null,
  tokensPerSecond: null,
  bubbleRatio: null,
  peakMemoryBytes: null,
  detail,
});

const resultOf = (trace: Trace): PointResult => {
  const { makespanSeconds, tokensPerSecond, bubbleRatio, devices, outOfMemory } = summarize(trace);
  if (outOfMemory !== null) return withoutFigures('outOfMemory', memoryText(outOfMemory));
  const peakMemoryBytes = Math.max(...devices.map((device) => device.peakMemoryBytes));
  return { outcome: 'ok', makespanSeconds, tokensPerSecond, bubbleRatio, peakMemoryBytes, detail: '' };
};

const memoryText = ({ device, class: memoryClass, bytes }: { readonly device: string; readonly class: MemoryClass; readonly bytes: number }): string =>
  `out of memory: ${device} lacks ${formatBytes(bytes)} for ${memoryClass}`;

