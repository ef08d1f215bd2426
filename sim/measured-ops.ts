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

/** Ops of one kind and equal work: how long they take where nothing disturbs them. */
export interface MeasuredOp {
  readonly features: readonly number[];
  /** The shortest of their times: other processes of a machine only ever add to one. */
  readonly quietNs: number;
  readonly count: number;
}

/** Forwards, backwards and steps of runs of our executor, equal ones together, without the first of each kind on each device. */
export const measuredOps = (runs: readonly MeasuredRun[]): MeasuredOp[] => {
  const groups = new Map<string, { readonly features: readonly number[]; readonly times: number[] }>();
  for (const run of runs) {
    const work = workOf(run);
    const { spans, plan } = run.trace;
    const known = new Map<string, readonly number[]>();
    for (const row of warmRows(run.trace)) {
      const [kind, stage, subject] = [spans.kind[row]!, spans.stage[row]!, subjectOf(run.trace, row)];
      const op = [kind, stage, subject].join();
      const features = known.get(op) ?? featuresOf(work(kind, stage, subject, plan));
      known.set(op, features);
      const key = [kind, ...features].join();
      const group = groups.get(key) ?? { features, times: [] };
      group.times.push(spans.endNs[row]! - spans.startNs[row]!);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(({ features, times }) => ({ features, quietNs: Math.min(...times), count: times.length }));
};

/** Calls of a kind in which the JavaScript engine still compiles and memory still grows. */
const WARM_UP_CALLS = 16;

/** Rows of compute ops behind the warm-up of their kind on their device; of short runs the second half. */
const warmRows = ({ spans }: Trace): number[] => {
  const byKind = new Map<string, number[]>();
  for (let row = 0; row < spans.length; row++) {
    if (spans.stream[row] !== STREAM.compute || spans.kind[row]! > KIND.step) continue;
    const key = `${spans.device[row]},${spans.kind[row]}`;
    const rows = byKind.get(key);
    if (rows === undefined) byKind.set(key, [row]);
    else rows.push(row);
  }
  return [...byKind.values()].flatMap((rows) => rows.slice(Math.min(WARM_UP_CALLS, Math.floor(rows.length / 2))));
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
