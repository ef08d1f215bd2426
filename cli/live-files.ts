import type { Experiment } from '../core/experiment/experiment.ts';
import { formatExperiment } from '../core/experiment/format.ts';
import { KIND } from '../core/plan/op.ts';
import { formatChromeTrace } from '../core/trace/chrome-trace.ts';
import { summarize } from '../core/trace/summary.ts';
import { traceWindow } from '../core/trace/trace-window.ts';
import type { Trace } from '../core/trace/trace.ts';
import { NS_PER_S } from '../core/units.ts';
import type { JobLosses } from '../exec/live/live-losses.ts';
import { asSeenFrom } from '../exec/run/open-experiment.ts';
import { timelineSvg } from '../viz/timeline-svg.ts';
import { lossesCsv } from './losses-csv.ts';
import { reportPage } from './report-page.ts';
import { metricRows, subtitleOf } from './summary.ts';
import type { ResultFiles } from './write-results.ts';

/** What the ranks of a live run did. */
export interface ShownRun {
  readonly experiment: Experiment;
  readonly trace: Trace;
  readonly losses: readonly JobLosses[];
  readonly slots: number;
  /** Folder of the files. */
  readonly out: string;
}

/** Pictures, curves and report of a live run. */
export const liveFiles = ({ experiment, trace, losses, slots, out }: ShownRun): ResultFiles => {
  const summary = summarize(trace);
  const title = experiment.name;
  const subtitle = subtitleOf(summary);
  const series = losses.map(({ job, training, heldout }) => ({ name: job, training, heldout }));
  return {
    'trace.json': formatChromeTrace(trace),
    'timeline.svg': timelineSvg(trace, { title, subtitle }),
    'losses.csv': lossesCsv(series),
    'report.html': reportPage({
      title,
      subtitle: `a live run on ${experiment.cluster.name}, up to ${slots} jobs at once`,
      metrics: metricRows(null, summary),
      traces: [{ label: 'Measured', subtitle, trace }],
      losses: series,
      settings: formatExperiment(asSeenFrom(out, experiment)),
    }),
    ...preemptionFiles(trace),
  };
};

/** Time shown before a job gives its place away, and after it has it back. */
const MARGIN_NS = 0.5 * NS_PER_S;

/** The first preemption by itself: from a while before a job is taken off until a while after it is back. */
const preemptionFiles = (trace: Trace): Readonly<Record<string, string>> => {
  const stay = firstPreemption(trace);
  if (stay === null) return {};
  const window = traceWindow(trace, stay.awayNs - MARGIN_NS, stay.backNs + MARGIN_NS);
  return { 'preemption.svg': timelineSvg(window, { title: `${trace.plan.adapters[stay.adapter]!} is preempted`, subtitle: 'measured', memory: false }) };
};

/** When an adapter left the first stage that came back later, and when it came back. */
const firstPreemption = ({ spans }: Trace): { readonly adapter: number; readonly awayNs: number; readonly backNs: number } | null => {
  const away = new Map<number, number>();
  for (let row = 0; row < spans.length; row++) {
    if (spans.stage[row] !== 0) continue;
    const adapter = spans.operand[row]!;
    if (spans.kind[row] === KIND.release) away.set(adapter, spans.endNs[row]!);
    if (spans.kind[row] === KIND.load && away.has(adapter)) return { adapter, awayNs: away.get(adapter)!, backNs: spans.startNs[row]! };
  }
  return null;
};
