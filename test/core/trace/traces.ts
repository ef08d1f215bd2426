import fc from 'fast-check';
import { MEMORY_CLASSES } from '../../../core/cost-model.ts';
import { createMicrobatchBuilder } from '../../../core/plan/builders.ts';
import { KIND, STREAM, streamOf, type Op } from '../../../core/plan/op.ts';
import type { PlanTables } from '../../../core/plan/plan.ts';
import { parseOp } from '../../../core/plan/text.ts';
import { appendMemoryChange, createMemoryColumns, finishMemory, type MemoryChange } from '../../../core/trace/memory-builder.ts';
import { appendSpan, createSpanColumns, finishSpans, type Span } from '../../../core/trace/span-builder.ts';
import type { Trace } from '../../../core/trace/trace.ts';

const TOKENS = 100;

/** Two devices with a stage each, two adapters, microbatch m of 100 tokens carrying adapter m mod 2. */
export const tables = (microbatches = 4): PlanTables => {
  const builder = createMicrobatchBuilder();
  for (let index = 0; index < microbatches; index++) {
    builder.push(0, [{ adapter: index % 2, iteration: 0, index, rows: 1, tokens: TOKENS, squaredTokens: TOKENS * TOKENS }]);
  }
  return {
    schedule: 'by hand',
    devices: ['gpu0', 'gpu1'],
    adapters: ['red', 'blue'],
    arrivalsNs: [0, 0],
    stages: [
      { device: 0, firstLayer: 0, endLayer: 2 },
      { device: 1, firstLayer: 2, endLayer: 4 },
    ],
    shapes: builder.shapes(),
    microbatches: builder.build(),
  };
};

/** A span on its op's own stream, from `1F0 10-20`; the device is the stage's. `host 1F0 5-9` is a launch. */
export const spanOf = (line: string): Span => {
  const words = line.split(' ');
  const [start, end] = words.at(-1)!.split('-').map(Number);
  const op = parseOp(words.at(-2)!)!;
  return { ...columnsOf(op), stream: words.length === 3 ? STREAM.host : STREAM[streamOf(op.kind)], startNs: start!, endNs: end! };
};

const columnsOf = (op: Op): Omit<Span, 'stream' | 'startNs' | 'endNs'> => ({
  device: op.stage,
  kind: KIND[op.kind],
  stage: op.stage,
  operand: 'microbatch' in op ? op.microbatch : op.adapter,
  iteration: op.kind === 'step' ? op.iteration : 0,
});

/** A trace of lines such as `1F0 10-20`. */
export const traceOfLines = (lines: readonly string[], changes: readonly MemoryChange[] = []): Trace =>
  traceOfParts(lines.map(spanOf), changes);

export const traceOfParts = (spans: readonly Span[], changes: readonly MemoryChange[]): Trace => {
  const spanColumns = createSpanColumns(1);
  const memoryColumns = createMemoryColumns(1);
  for (const span of spans) appendSpan(spanColumns, span);
  for (const change of changes) appendMemoryChange(memoryColumns, change);
  const plan = tables();
  return {
    source: 'simulated',
    plan,
    devices: plan.devices.map((name) => ({ name, capacityBytes: 1000 })),
    spans: finishSpans(spanColumns),
    memory: finishMemory(memoryColumns),
    outOfMemory: null,
  };
};

const times = fc.nat({ max: 2 ** 45 });

const ops: fc.Arbitrary<Op> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('forward', 'backward', 'sendForward', 'receiveForward', 'sendBackward', 'receiveBackward'),
    stage: fc.nat({ max: 1 }),
    microbatch: fc.nat({ max: 3 }),
  }),
  fc.record({ kind: fc.constant('step' as const), stage: fc.nat({ max: 1 }), adapter: fc.nat({ max: 1 }), iteration: fc.nat({ max: 2 ** 32 - 1 }) }),
  fc.record({ kind: fc.constantFrom('load', 'save', 'release'), stage: fc.nat({ max: 1 }), adapter: fc.nat({ max: 1 }) }),
);

export const spansArbitrary: fc.Arbitrary<Span[]> = fc.array(
  fc.record({ op: ops, device: fc.nat({ max: 1 }), stream: fc.nat({ max: 3 }), startNs: times, durationNs: times }).map(
    ({ op, device, stream, startNs, durationNs }): Span => ({ ...columnsOf(op), device, stream, startNs, endNs: startNs + durationNs }),
  ),
  { maxLength: 20 },
);

export const changesArbitrary: fc.Arbitrary<MemoryChange[]> = fc.array(
  fc.record({ device: fc.nat({ max: 1 }), memoryClass: fc.nat({ max: MEMORY_CLASSES.length - 1 }), timeNs: times, bytes: fc.nat({ max: 2 ** 45 }) }),
  { maxLength: 20 },
);
