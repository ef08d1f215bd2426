import { pipe } from 'fp-ts/lib/function.js';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import * as NEA from 'fp-ts/lib/NonEmptyArray.js';
import * as z from 'zod';
import { MEMORY_CLASSES } from '../cost-model.ts';
import { messageOf } from '../error-message.ts';
import { nonNegativeNumber, text, wholeNumber } from '../leaves.ts';
import { planFromJson } from '../plan/json.ts';
import type { PlanTables } from '../plan/plan.ts';
import { problem, show, type Problem, type Problems } from '../problem.ts';
import { closed, inside, isRecord, leaf, oneOf, readStructure } from '../structure.ts';
import { FORMAT, FORMAT_VERSION } from './chrome-trace.ts';
import { createMemoryColumns, finishMemory } from './memory-builder.ts';
import { readEvent } from './read-events.ts';
import { isKineto, readKineto } from './read-kineto.ts';
import { createSpanColumns, finishSpans } from './span-builder.ts';
import type { Trace } from './trace.ts';

const HEADER = closed({
  format: oneOf([FORMAT]),
  version: wholeNumber(FORMAT_VERSION, FORMAT_VERSION),
  source: oneOf(['simulated', 'measured'] as const),
  devices: z.array(closed({ name: text, capacityBytes: z.nullable(nonNegativeNumber), hardware: z.exactOptional(text) })),
  outOfMemory: z.nullable(
    closed({
      device: wholeNumber(0),
      memoryClass: oneOf(MEMORY_CLASSES),
      missingBytes: nonNegativeNumber,
      timeNs: nonNegativeNumber,
      op: text,
    }),
  ),
  plan: leaf<Readonly<Record<string, unknown>>>('expected the plan’s tables', isRecord),
});

type Header = z.infer<typeof HEADER>;

const parse = (fileText: string): E.Either<Problems, unknown> =>
  E.tryCatch(
    (): unknown => JSON.parse(fileText),
    (error): Problems => [problem('', `is no JSON: ${messageOf(error)}`)],
  );

/** Reads the text of one of our own trace files; anything else is refused with everything that is wrong with it. */
export const readChromeTrace = (fileText: string): E.Either<Problems, Trace> => pipe(parse(fileText), E.chain(readFile));

/** Reads one of our own traces or one of PyTorch's profiler. */
export const readAnyTrace = (fileText: string): E.Either<Problems, Trace> =>
  pipe(
    parse(fileText),
    E.chain((file) => (isKineto(file) ? readKineto(file) : readFile(file))),
  );

const readFile = (file: unknown): E.Either<Problems, Trace> => {
  const header = isRecord(file) ? file.otherData : undefined;
  if (!isRecord(file) || !isRecord(header) || header.format !== FORMAT) {
    return E.left([problem('otherData.format', `is not ${show(FORMAT)}; only traces written by mlora can be read`)]);
  }
  const events = file.traceEvents;
  if (!Array.isArray(events)) return E.left([problem('traceEvents', `is ${show(events)}; expected a list`)]);
  return pipe(
    E.Do,
    E.bind('known', () => readStructure(HEADER, header, inside('otherData'))),
    E.bind('plan', ({ known }) => readTables(known.plan)),
    E.chainFirst(({ known, plan }) => checkDevices(known, plan)),
    E.chain(({ known, plan }) => readEvents(known, plan, events)),
  );
};

/** The plan's tables; its programs are not part of a trace. */
const readTables = (tables: Readonly<Record<string, unknown>>): E.Either<Problems, PlanTables> => {
  const { devices } = tables;
  return pipe(
    planFromJson({ ...tables, programs: Array.isArray(devices) ? devices.map(() => '') : [] }),
    E.map(({ programs: _, ...plan }) => plan),
    E.mapLeft(NEA.map(({ path, message }) => problem(`otherData.plan.${path}`, message))),
  );
};

const checkDevices = ({ devices, outOfMemory }: Header, plan: PlanTables): E.Either<Problems, null> => {
  const expected = plan.devices.length;
  if (devices.length !== expected) {
    return E.left([problem('otherData.devices', `has ${devices.length} devices; the plan has ${expected}`)]);
  }
  return outOfMemory !== null && outOfMemory.device >= expected
    ? E.left([problem('otherData.outOfMemory.device', `is ${outOfMemory.device}; there are ${expected} devices`)])
    : E.right(null);
};

const readEvents = (header: Header, plan: PlanTables, events: readonly unknown[]): E.Either<Problems, Trace> => {
  const reader = { plan, spans: createSpanColumns(events.length), memory: createMemoryColumns(events.length) };
  const problems: Problem[] = [];
  for (const [index, event] of events.entries()) {
    const finding = readEvent(reader, event);
    if (finding !== null) problems.push(problem(`traceEvents[${index}]`, finding));
  }
  if (isNonEmpty(problems)) return E.left(problems);
  return E.right({
    source: header.source,
    plan,
    devices: header.devices.map(({ capacityBytes, ...device }) => ({ ...device, capacityBytes: capacityBytes ?? Infinity })),
    spans: finishSpans(reader.spans),
    memory: finishMemory(reader.memory),
    outOfMemory: header.outOfMemory,
  });
};
