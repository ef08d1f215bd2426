/**
 * Traces of PyTorch's profiler (Kineto's `export_chrome_trace`) as far as spans on GPU streams go: complete events of
 * the categories `kernel`, `gpu_memcpy` and `gpu_memset`, whose `args` name device and stream (libkineto,
 * output_json.cpp). Every stream is a row. What ran on the host is left out.
 */
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { createMicrobatchBuilder } from '../plan/builders.ts';
import { KIND, STREAM } from '../plan/op.ts';
import type { PlanTables } from '../plan/plan.ts';
import { problem, show, type Problem, type Problems } from '../problem.ts';
import { isRecord } from '../structure.ts';
import { NS_PER_US } from '../units.ts';
import { createMemoryColumns, finishMemory } from './memory-builder.ts';
import { appendSpan, createSpanColumns, finishSpans } from './span-builder.ts';
import type { Trace } from './trace.ts';

type Json = Readonly<Record<string, unknown>>;

const GPU_CATEGORIES: readonly unknown[] = ['kernel', 'gpu_memcpy', 'gpu_memset'];

const isGpuEvent = (event: unknown): event is Json => isRecord(event) && event.ph === 'X' && GPU_CATEGORIES.includes(event.cat);

/** Whether a file looks like one of the profiler's, good or bad. */
export const isKineto = (file: unknown): file is Json & { readonly traceEvents: readonly unknown[] } =>
  isRecord(file) && Array.isArray(file.traceEvents) && !isRecord(file.otherData) && ('schemaVersion' in file || 'deviceProperties' in file || file.traceEvents.some(isGpuEvent));

/** Families of kernels by what their names contain; the first that fits counts. */
const FAMILIES: readonly (readonly [string, RegExp])[] = [
  ['communication', /nccl|rccl/i],
  ['attention', /fmha|flash|attention/i],
  ['matrix product', /gemm|gemv|cutlass|cublas|xmma|matmul/i],
  ['copy', /^mem(cpy|set)/i],
  ['other kernel', /^/],
];

/** What an event says, checked. */
interface GpuSpan {
  readonly name: string;
  readonly device: number;
  readonly stream: number;
  readonly startNs: number;
  readonly endNs: number;
}

const isTime = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** A span, or what is wrong with the event. */
const spanOf = ({ name, ts, dur, args }: Json): GpuSpan | string => {
  if (!isTime(ts)) return `has ts ${show(ts)}; expected microseconds from 0 up`;
  if (!isTime(dur)) return `has dur ${show(dur)}; expected microseconds from 0 up`;
  const { device, stream } = isRecord(args) ? args : {};
  if (!Number.isSafeInteger(device) || !Number.isSafeInteger(stream)) return `has args ${show(args)}; expected the numbers of a device and a stream`;
  const startNs = Math.round(ts * NS_PER_US);
  return { name: String(name), device: Number(device), stream: Number(stream), startNs, endNs: startNs + Math.round(dur * NS_PER_US) };
};

const rowKey = ({ device, stream }: GpuSpan): string => `${device} ${stream}`;

/** One span for every stream, ordered by device and stream. */
const rowsOf = (spans: readonly GpuSpan[]): readonly GpuSpan[] =>
  [...new Map(spans.map((span) => [rowKey(span), span])).values()].sort((a, b) => a.device - b.device || a.stream - b.stream);

const tablesOf = (rows: readonly GpuSpan[], kernels: readonly string[]): PlanTables => {
  const microbatches = createMicrobatchBuilder();
  for (const [index, name] of kernels.entries()) {
    const adapter = FAMILIES.findIndex(([, pattern]) => pattern.test(name));
    microbatches.push(0, [{ adapter, iteration: 0, index, rows: 0, tokens: 0, squaredTokens: 0 }]);
  }
  return {
    schedule: 'PyTorch profiler',
    devices: rows.map(({ device, stream }) => `GPU ${device}, stream ${stream}`),
    adapters: FAMILIES.map(([family]) => family),
    arrivalsNs: FAMILIES.map(() => 0),
    stages: rows.map((_, device) => ({ device, firstLayer: 0, endLayer: 0 })),
    shapes: microbatches.shapes(),
    microbatches: microbatches.build(),
  };
};

const traceOf = (spans: readonly GpuSpan[]): Trace => {
  const rows = rowsOf(spans);
  const rowNumbers = new Map(rows.map((row, number) => [rowKey(row), number]));
  const kernels = [...new Set(spans.map(({ name }) => name))];
  const kernelNumbers = new Map(kernels.map((name, number) => [name, number]));
  const originNs = spans.reduce((first, { startNs }) => Math.min(first, startNs), Infinity);
  const columns = createSpanColumns(spans.length);
  for (const span of spans) {
    const row = rowNumbers.get(rowKey(span))!;
    const common = { device: row, stage: row, stream: STREAM.compute, kind: KIND.forward, iteration: 0 };
    appendSpan(columns, { ...common, operand: kernelNumbers.get(span.name)!, startNs: span.startNs - originNs, endNs: span.endNs - originNs });
  }
  const plan = tablesOf(rows, kernels);
  return {
    source: 'measured',
    plan,
    devices: plan.devices.map((name) => ({ name, capacityBytes: Infinity })),
    spans: finishSpans(columns),
    memory: finishMemory(createMemoryColumns()),
    outOfMemory: null,
    kernels,
  };
};

/** Reads what the profiler wrote. */
export const readKineto = ({ traceEvents }: { readonly traceEvents: readonly unknown[] }): E.Either<Problems, Trace> => {
  const problems: Problem[] = [];
  const spans: GpuSpan[] = [];
  for (const [index, event] of traceEvents.entries()) {
    if (!isGpuEvent(event)) continue;
    const span = spanOf(event);
    if (typeof span === 'string') problems.push(problem(`traceEvents[${index}]`, span));
    else spans.push(span);
  }
  if (spans.length === 0 && problems.length === 0) problems.push(problem('traceEvents', 'have no spans on GPU streams (cat kernel, gpu_memcpy or gpu_memset)'));
  return isNonEmpty(problems) ? E.left(problems) : E.right(traceOf(spans));
};
