import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { CAUSE_LABELS } from '../../core/explain/cause.ts';
import { criticalPath, type CriticalStep } from '../../core/explain/critical-path.ts';
import { splitIdle, type IdleSplit } from '../../core/explain/idle.ts';
import { STREAMS } from '../../core/plan/op.ts';
import { opAt } from '../../core/plan/plan.ts';
import { formatOp } from '../../core/plan/text.ts';
import { formatTable } from '../../core/text-table.ts';
import { bubbleRatio, makespanNs } from '../../core/trace/metrics.ts';
import { readChromeTrace } from '../../core/trace/read-chrome-trace.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { isTraceText } from '../../core/trace/chrome-trace.ts';
import { formatDuration } from '../../core/units.ts';
import { readText } from '../../exec/run/open-experiment.ts';
import { whatIf, whatIfTrace, type WhatIf, type WhatIfs } from '../../sim/what-if.ts';
import { badFiles, badInput, type Failure } from '../failure.ts';
import { formatIdle, percent } from '../idle-table.ts';
import { openPricedPlan, pricePlanFile, type PricedPlan } from '../priced-plan.ts';
import type { ProfileFlags } from '../profile-option.ts';
import { memoryFailure, runSimulation } from '../run-simulation.ts';

export interface ExplainFlags extends ProfileFlags {
  readonly json?: boolean;
  readonly criticalPath?: boolean;
}

/** A run, and how it would have gone without one thing or another. */
interface Explained {
  readonly trace: Trace;
  readonly whatIfs: WhatIfs;
}

/** `mlora explain`: where the idle time of an experiment, a plan or a trace comes from, and what each cause costs. */
export const explainCommand = (path: string, flags: ExplainFlags): TE.TaskEither<Failure, void> =>
  pipe(
    path.endsWith('.json') ? explainFile(path, flags) : pipe(openPricedPlan(path, flags), TE.chainEitherK(explainPlan)),
    TE.chainEitherK((explained) => {
      process.stdout.write(flags.json === true ? `${JSON.stringify(asJson(explained, flags), null, 2)}\n` : `${asText(explained, flags)}\n`);
      const failure = memoryFailure(explained.trace);
      return failure === null ? E.right(undefined) : E.left(failure);
    }),
  );

const explainFile = (path: string, flags: ExplainFlags): TE.TaskEither<Failure, Explained> =>
  pipe(
    readText(path),
    TE.mapLeft(badFiles),
    TE.chain((text) =>
      isTraceText(text) ? TE.fromEither(explainTrace(path, text)) : pipe(pricePlanFile(path, text, flags), TE.chainEitherK(explainPlan)),
    ),
  );

const explainTrace = (path: string, text: string): E.Either<Failure, Explained> =>
  pipe(
    readChromeTrace(text),
    E.bimap(
      (problems) => badInput(path, problems),
      (trace) => ({ trace, whatIfs: whatIfTrace(trace) }),
    ),
  );

const explainPlan = ({ plan, cost, experiment, request }: PricedPlan): E.Either<Failure, Explained> =>
  pipe(
    runSimulation(plan, cost, experiment.cluster),
    E.map(({ trace }) => ({
      trace,
      whatIfs: { makespanNs: makespanNs(trace), changes: whatIf({ plan, cost, cluster: experiment.cluster, request }) },
    })),
  );

const asText = ({ trace, whatIfs }: Explained, flags: ExplainFlags): string => {
  const split = splitIdle(trace);
  const path = criticalPath(trace);
  return [
    `${trace.plan.schedule}, ${trace.source}: ${formatDuration(makespanNs(trace))}, bubble ratio ${bubbleRatio(trace).toFixed(4)}`,
    formatIdle(split),
    formatWhatIf(whatIfs, split),
    formatPathSummary(trace, path),
    ...(flags.criticalPath === true ? [formatPath(trace, path)] : []),
  ].join('\n\n');
};

const formatWhatIf = ({ makespanNs: asItIs, changes }: WhatIfs, { total }: IdleSplit): string =>
  formatTable([
    ['what if', 'of idle', 'makespan', 'gain'],
    ['as it is', '', formatDuration(asItIs), ''],
    ...changes.map(({ causes, change, makespanNs: without }) => [
      `${causes.map((cause) => CAUSE_LABELS[cause]).join(', ')}: ${change}`,
      percent(idleShare(total, causes)),
      without === null ? 'does not fit' : formatDuration(without),
      without === null ? '–' : percent(1 - without / asItIs),
    ]),
  ]);

const idleShare = ({ byCause, idleNs }: IdleSplit['total'], causes: WhatIf['causes']): number =>
  idleNs > 0 ? causes.reduce((sum, cause) => sum + byCause[cause], 0) / idleNs : 0;

const formatPathSummary = ({ spans }: Trace, path: readonly CriticalStep[]): string => {
  const totals = new Map<string, number>();
  const add = (name: string, ns: number): Map<string, number> => totals.set(name, (totals.get(name) ?? 0) + ns);
  for (const { row, startNs, endNs, waitNs } of path) {
    add(STREAMS[spans.stream[row]!]!, endNs - startNs);
    add('nothing recorded', waitNs);
  }
  const whole = [...totals.values()].reduce((sum, ns) => sum + ns, 0);
  const parts = [...totals].filter(([, ns]) => ns > 0).map(([name, ns]) => `${name} ${percent(ns / whole)}`);
  return `critical path: ${path.length} spans; ${parts.join(', ')}`;
};

const formatPath = (trace: Trace, path: readonly CriticalStep[]): string =>
  formatTable([
    ['critical path', 'device', 'stream', 'start', 'takes', 'after waiting'],
    ...pathJson(trace, path).map(({ op, device, stream, startNs, endNs, waitNs }) => [
      op,
      device,
      stream,
      formatDuration(startNs),
      formatDuration(endNs - startNs),
      waitNs > 0 ? formatDuration(waitNs) : '',
    ]),
  ]);

const pathJson = ({ spans, devices }: Trace, path: readonly CriticalStep[]) =>
  path.map(({ row, ...times }) => ({
    op: formatOp(opAt(spans, row)),
    device: devices[spans.device[row]!]!.name,
    stream: STREAMS[spans.stream[row]!]!,
    ...times,
  }));

/** Times are whole nanoseconds; those of the causes add up to the idle time. */
const asJson = ({ trace, whatIfs }: Explained, flags: ExplainFlags): object => {
  const { windowNs, devices, total } = splitIdle(trace);
  return {
    schedule: trace.plan.schedule,
    source: trace.source,
    makespanNs: makespanNs(trace),
    bubbleRatio: bubbleRatio(trace),
    windowNs,
    devices,
    total,
    whatIf: {
      makespanNs: whatIfs.makespanNs,
      changes: whatIfs.changes.map((change) => ({
        ...change,
        idleShare: idleShare(total, change.causes),
        gainNs: change.makespanNs === null ? null : whatIfs.makespanNs - change.makespanNs,
      })),
    },
    ...(flags.criticalPath === true ? { criticalPath: pathJson(trace, criticalPath(trace)) } : {}),
  };
};
