import type { Trace } from '../../core/trace/trace.ts';
import { compareSpan } from '../drift/drift.ts';
import { describeSpan, type Description } from '../timeline/describe-span.ts';
import type { Chart } from './chart.ts';

/** Everything known of a span, with how it stands to the same op of the other trace where there are two. */
export const describeInChart = (chart: Chart, trace: Trace, span: number): Description => {
  const { title, facts } = describeSpan(trace, span);
  const drift = chart.drift();
  const comparison = drift === null ? null : compareSpan(drift, trace, span);
  const other = chart.traces().find((each) => each.trace !== trace);
  if (comparison === null || other === undefined) return { title, facts };
  return { title, facts: [...facts, [`against ${other.label}`, comparison]] };
};
