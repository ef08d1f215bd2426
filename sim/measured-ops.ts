import type { Precision } from '../core/cluster/cluster.ts';
import type { Adapter } from '../core/job.ts';
import type { Model } from '../core/model/model.ts';
import { KIND, STREAM } from '../core/plan/op.ts';
import type { MicrobatchShape, PlanTables } from '../core/plan/plan.ts';
import type { Trace } from '../core/trace/trace.ts';
import type { Kernel } from '../core/work/kernel.ts';
import { shapeAsPacked } from '../core/work/packed-shape.ts';
import { elementBytesOf, stageContents, type WorkSetting } from '../core/work/setting.ts';
import { backwardWork, forwardWork, stepWork } from '../core/work/stage.ts';
import { featuresOf } from './work-features.ts';

/** A measured run and what its ops worked on. */
export interface MeasuredRun {
  readonly trace: Trace;
  readonly model: Model;
  /** In plan order. */
  readonly adapters: readonly Adapter[];
  readonly precision: Precision;
}

/** Ops of one kind, stage and shape (or adapter): their work and the median of their times. */
export interface MeasuredOp {
  readonly features: readonly number[];
  readonly medianNs: number;
  readonly count: number;
}

/** Forwards, backwards and steps of a run of our executor, equal ones together. */
export const measuredOps = (run: MeasuredRun): MeasuredOp[] => {
  const groups = new Map<string, { readonly row: number; readonly times: number[] }>();
  const { spans, plan } = run.trace;
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] !== STREAM.compute || spans.kind[row]! > KIND.step) continue;
    const key = [spans.kind[row], spans.stage[row], subjectOf(run.trace, row)].join();
    const group = groups.get(key) ?? { row, times: [] };
    group.times.push(spans.endNs[row]! - spans.startNs[row]!);
    groups.set(key, group);
  }
  const work = workOf(run);
  return [...groups.values()].map(({ row, times }) => ({
    features: featuresOf(work(spans.kind[row]!, spans.stage[row]!, subjectOf(run.trace, row), plan)),
    medianNs: median(times),
    count: times.length,
  }));
};

/** The middle value, or the upper one of two; NaN for none. */
export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

/** Shape of a microbatch's op, adapter of a step. */
const subjectOf = ({ spans, plan }: Trace, row: number): number => {
  const operand = spans.operand[row]!;
  return spans.kind[row] === KIND.step ? operand : plan.microbatches.shape[operand]!;
};

const workOf = ({ trace, model, adapters, precision }: MeasuredRun) => {
  const elementBytes = elementBytesOf(precision);
  const setting: WorkSetting = { model, adapters, elementBytes, attention: 'scores', elementwise: 'tfjs' };
  const contents = stageContents(trace.plan.stages);
  const packed = (plan: PlanTables, shape: number): MicrobatchShape => shapeAsPacked(plan.shapes[shape]!);
  return (kind: number, stage: number, subject: number, plan: PlanTables): Kernel[] => {
    const content = contents[stage]!;
    if (kind === KIND.step) return stepWork(setting, content, subject);
    return (kind === KIND.forward ? forwardWork : backwardWork)(setting, content, packed(plan, subject));
  };
};
