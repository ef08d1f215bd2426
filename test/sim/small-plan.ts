import * as E from 'fp-ts/lib/Either.js';
import type { Cluster } from '../../core/cluster/cluster.ts';
import type { CostModel } from '../../core/cost-model.ts';
import { createMicrobatchBuilder } from '../../core/plan/builders.ts';
import { kindName, makeOp, STREAMS, type Op } from '../../core/plan/op.ts';
import type { Plan, Program } from '../../core/plan/plan.ts';
import { formatOp, parseProgram } from '../../core/plan/text.ts';
import { spanAt, type Span } from '../../core/trace/span-builder.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { simulate } from '../../sim/engine/simulate.ts';

interface SmallPlanOptions {
  /** Device of each stage; one stage per device where left out. */
  readonly stageDevices?: readonly number[];
  readonly microbatches?: number;
  /** Pipeline of each stage, and of each microbatch; all 0 where left out. */
  readonly stagePipelines?: readonly number[];
  readonly microbatchPipelines?: readonly number[];
  /** Layer of each stage; its number where left out. */
  readonly stageLayers?: readonly number[];
  /** Microbatches of held-out rows. */
  readonly forwardOnly?: readonly number[];
  readonly arrivalsNs?: readonly number[];
}

/** A plan from one line of program text per device; microbatch m is microbatch m of adapter 0's first iteration. */
export const smallPlan = (programs: readonly string[], options: SmallPlanOptions = {}): Plan =>
  planOfPrograms(programs.map(readProgram), options);

export const planOfPrograms = (programs: readonly Program[], options: SmallPlanOptions = {}): Plan => {
  const stageDevices = options.stageDevices ?? programs.map((_, device) => device);
  const arrivalsNs = options.arrivalsNs ?? [0];
  const builder = createMicrobatchBuilder();
  for (let index = 0; index < (options.microbatches ?? 8); index++) {
    const travel = { pipeline: options.microbatchPipelines?.[index] ?? 0, forwardOnly: options.forwardOnly?.includes(index) ?? false };
    builder.push(0, [{ adapter: 0, iteration: 0, index, rows: 1, tokens: 100, squaredTokens: 10_000 }], travel);
  }
  return {
    schedule: 'by hand',
    devices: programs.map((_, device) => `device${device}`),
    adapters: arrivalsNs.map((_, adapter) => `adapter${adapter}`),
    arrivalsNs,
    stages: stageDevices.map((device, stage) => {
      const layer = options.stageLayers?.[stage] ?? stage;
      return { device, firstLayer: layer, endLayer: layer + 1, pipeline: options.stagePipelines?.[stage] ?? 0 };
    }),
    shapes: builder.shapes(),
    microbatches: builder.build(),
    programs,
  };
};

const readProgram = (text: string): Program =>
  E.getOrElse<unknown, Program>((problems) => {
    throw new Error(JSON.stringify(problems));
  })(parseProgram(text));

/** The trace of a run that must not deadlock. */
export const traceOf = (plan: Plan, cost: CostModel, cluster: Cluster): Trace =>
  E.getOrElse<unknown, Trace>((deadlock) => {
    throw new Error(JSON.stringify(deadlock));
  })(simulate(plan, cost, cluster));

export const spansOf = ({ spans }: Trace): Span[] => Array.from({ length: spans.length }, (_, row) => spanAt(spans, row));

export const opOfSpan = ({ kind, stage, operand, iteration }: Span): Op => makeOp(kindName(kind), stage, operand, iteration);

/** Every span as `device stream op start-end`, sorted, so that traces compare as lists of lines. */
export const linesOf = (trace: Trace): string[] =>
  spansOf(trace)
    .map((span) => `${span.device} ${STREAMS[span.stream]} ${formatOp(opOfSpan(span))} ${span.startNs}-${span.endNs}`)
    .sort();
