import { CAUSE_LABELS, IDLE_CAUSES } from '../../core/explain/cause.ts';
import type { Gap } from '../../core/explain/idle.ts';
import { opAt } from '../../core/plan/plan.ts';
import { formatOp } from '../../core/plan/text.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { formatDuration } from '../../core/units.ts';
import type { Description } from './describe-span.ts';
import { formatMoment } from './moment.ts';

/** Why and how long a device waits, and for which op. */
export const describeBubble = ({ devices, spans }: Trace, { device, startNs, endNs, row, byCause }: Gap): Description => {
  const causes = IDLE_CAUSES.filter((cause) => byCause[cause] > 0).sort((a, b) => byCause[b] - byCause[a]);
  return {
    title: `bubble of ${formatDuration(endNs - startNs)} on ${devices[device]!.name}`,
    facts: [
      ...causes.map((cause) => [CAUSE_LABELS[cause], formatDuration(byCause[cause])] as const),
      ['start', formatMoment(startNs)],
      ['end', formatMoment(endNs)],
      ...(row < 0 ? [] : [['ends with', formatOp(opAt(spans, row))] as const]),
    ],
  };
};
