import * as E from 'fp-ts/lib/Either.js';
import { STREAM } from '../../../core/plan/op.ts';
import { makespanNs, trainedTokens } from '../../../core/trace/metrics.ts';
import { peakMemory } from '../../../core/trace/peak-memory.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { NS_PER_S } from '../../../core/units.ts';
import { runExperiment, type Run, type RunSettings } from './run-experiment.ts';

/** A run to plan and simulate. */
export interface SimulateTask extends RunSettings {
  readonly kind: 'simulate';
}

/** Steady-state figures of a run. */
export interface Steady {
  readonly kind: 'ran';
  readonly tokensPerSecond: number;
  /** Per optimizer step, of all devices together, in seconds. */
  readonly stepSeconds: number;
  readonly computeSeconds: number;
  readonly launchSeconds: number;
  /** Time that blocking transfers keep compute from running; 0 where they overlap. */
  readonly blockedSeconds: number;
  /** Largest over the devices, in bytes. */
  readonly peakBytes: number;
}

export type SimulateResult = Steady | { readonly kind: 'outOfMemory'; readonly where: string };

/**
 * Plans and simulates an experiment and one with twice the iterations. What the longer run adds is the steady state:
 * filling and draining the pipeline cancel out, as they do over the paper's 9,341 iterations.
 */
export const simulateTask = (task: SimulateTask): SimulateResult => {
  const { iterations } = task.experiment.defaults;
  const short = runExperiment(task, iterations);
  if (E.isLeft(short)) return { kind: 'outOfMemory', where: short.left };
  const long = runExperiment(task, 2 * iterations);
  if (E.isLeft(long)) return { kind: 'outOfMemory', where: long.left };
  return steadyState(short.right, long.right);
};

const streamNs = ({ spans }: Trace, stream: number): number => {
  let sum = 0;
  for (let row = 0; row < spans.length; row++) if (spans.stream[row] === stream) sum += spans.endNs[row]! - spans.startNs[row]!;
  return sum;
};

const stepsOf = ({ plan }: Trace, iterations: number): number => plan.adapters.length * iterations;

const steadyState = (short: Run, long: Run): Steady => {
  const added = (measure: (trace: Trace) => number): number => measure(long.trace) - measure(short.trace);
  const durationNs = added(makespanNs);
  const steps = added((trace) => stepsOf(trace, stepIterations(trace)));
  const perStep = (ns: number): number => ns / NS_PER_S / steps;
  return {
    kind: 'ran',
    tokensPerSecond: (added(trainedTokens) * NS_PER_S) / durationNs,
    stepSeconds: perStep(durationNs),
    computeSeconds: perStep(added((trace) => streamNs(trace, STREAM.compute))),
    launchSeconds: perStep(added((trace) => streamNs(trace, STREAM.host))),
    blockedSeconds: perStep(long.blockedNs(long.trace) - short.blockedNs(short.trace)),
    peakBytes: Math.max(...peakMemory(long.trace).map(({ bytes }) => bytes)),
  };
};

/** Iterations of the adapter that has most. */
const stepIterations = ({ plan: { microbatches } }: Trace): number => {
  let last = -1;
  for (const iteration of microbatches.partIteration) last = Math.max(last, iteration);
  return last + 1;
};
