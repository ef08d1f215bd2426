import { kindName, STREAMS, subjectOf, type OpKind } from '../../core/plan/op.ts';
import { opAt, partsOf } from '../../core/plan/plan.ts';
import { formatOp } from '../../core/plan/text.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { formatDuration } from '../../core/units.ts';
import { formatMoment } from './moment.ts';
import { carriesMicrobatch } from './span-fill.ts';

/** A heading and facts under it, as text. */
export interface Description {
  readonly title: string;
  readonly facts: readonly (readonly [label: string, value: string])[];
}

/** Kinds of op as people read them. */
export const TITLES: Readonly<Record<OpKind, string>> = {
  forward: 'forward',
  backward: 'backward',
  step: 'optimizer step',
  sendForward: 'send activations',
  receiveForward: 'receive activations',
  sendBackward: 'send gradients',
  receiveBackward: 'receive gradients',
  load: 'load adapter',
  save: 'save adapter',
  release: 'release adapter',
  backwardInput: 'backward, input gradients',
  backwardWeight: 'backward, weight gradients',
  allGatherForward: 'all-gather weights for the forward',
  allGatherBackward: 'all-gather weights for the backward',
  allReduceForward: 'all-reduce activations',
  allReduceBackward: 'all-reduce input gradients',
  allReduceGradients: 'all-reduce adapter gradients',
  reduceScatterGradients: 'reduce-scatter adapter gradients',
  allReduceNorm: 'all-reduce gradient norm',
};

const nameOf = ({ plan }: Trace, adapter: number): string => plan.adapters[adapter] ?? `adapter ${adapter}`;

const workFacts = (trace: Trace, span: number): Description['facts'] => {
  const operand = trace.spans.operand[span]!;
  if (!carriesMicrobatch(trace, span)) {
    const hasIteration = subjectOf(kindName(trace.spans.kind[span]!)) === 'iteration';
    const iteration: Description['facts'] = hasIteration ? [['iteration', String(trace.spans.iteration[span]!)]] : [];
    return [['adapter', nameOf(trace, operand)], ...iteration];
  }
  const parts = partsOf(trace.plan.microbatches, operand).map(
    ({ adapter, iteration, index }) => `${nameOf(trace, adapter)}, iteration ${iteration}, piece ${index}`,
  );
  return [['microbatch', String(operand)], ...parts.map((part) => ['adapter', part] as const)];
};

const placeOf = ({ plan, devices }: Trace, device: number, stage: number): Description['facts'] => {
  const placement = plan.stages[stage];
  const layers = placement === undefined ? '' : `, layers ${placement.firstLayer} to ${placement.endLayer - 1}`;
  return [
    ['device', devices[device]!.name],
    ['stage', `${stage}${layers}`],
  ];
};

/** A kernel of a foreign trace; null in a trace with a plan. */
const kernelOf = ({ kernels, spans, plan, devices }: Trace, span: number): Description | null => {
  if (kernels === undefined) return null;
  const { partAdapter, partStart } = plan.microbatches;
  const [startNs, endNs] = [spans.startNs[span]!, spans.endNs[span]!];
  return {
    title: kernels[spans.operand[span]!]!,
    facts: [
      ['family', plan.adapters[partAdapter[partStart[spans.operand[span]!]!]!]!],
      ['stream', devices[spans.device[span]!]!.name],
      ['start', formatMoment(startNs)],
      ['end', formatMoment(endNs)],
      ['duration', formatDuration(endNs - startNs)],
    ],
  };
};

/** Everything known of a span: the op in text form, what it works for, where and when. */
export const describeSpan = (trace: Trace, span: number): Description => {
  const { device, stream, stage, kind, startNs, endNs } = trace.spans;
  const kernel = kernelOf(trace, span);
  if (kernel !== null) return kernel;
  return {
    title: `${formatOp(opAt(trace.spans, span))} · ${TITLES[kindName(kind[span]!)]}`,
    facts: [
      ...workFacts(trace, span),
      ...placeOf(trace, device[span]!, stage[span]!),
      ['stream', STREAMS[stream[span]!] ?? '?'],
      ['start', formatMoment(startNs[span]!)],
      ['end', formatMoment(endNs[span]!)],
      ['duration', formatDuration(endNs[span]! - startNs[span]!)],
    ],
  };
};
