import { pipe } from 'fp-ts/lib/function.js';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { nonNegativeNumber, text, wholeNumber } from '../leaves.ts';
import { problem, type Problem, type Problems } from '../problem.ts';
import { closed, readStructure } from '../structure.ts';
import { createMicrobatchBuilder } from './builders.ts';
import { partsOf, type Plan, type Program } from './plan.ts';
import { formatProgram, parseProgram } from './text.ts';

const count = wholeNumber(0);

const PLAN = closed({
  schedule: text,
  devices: z.array(text),
  adapters: z.array(text),
  arrivalsNs: z.array(nonNegativeNumber),
  stages: z.array(
    closed({
      ...{ device: count, firstLayer: count, endLayer: count },
      ...{ pipeline: z.exactOptional(count), shard: z.exactOptional(count), recompute: z.exactOptional(z.boolean()) },
    }),
  ),
  microbatches: z.array(
    closed({
      group: count,
      pipeline: z.exactOptional(count),
      forwardOnly: z.exactOptional(z.boolean()),
      parts: z.array(
        closed({
          ...{ adapter: count, iteration: count, index: count, rows: count, tokens: count, squaredTokens: count },
          targets: z.exactOptional(count),
        }),
      ),
    }),
  ),
  programs: z.array(text),
});

/** A plan as a JSON value that people can read: programs are lines of tokens, microbatches list their parts. */
export type PlanJson = z.infer<typeof PLAN>;

export const planToJson = ({ microbatches, shapes, programs, ...tables }: Plan): PlanJson => ({
  schedule: tables.schedule,
  devices: [...tables.devices],
  adapters: [...tables.adapters],
  arrivalsNs: [...tables.arrivalsNs],
  stages: tables.stages.map((stage) => ({ ...stage })),
  microbatches: Array.from({ length: microbatches.length }, (_, microbatch) => ({
    group: microbatches.group[microbatch]!,
    ...(microbatches.pipeline[microbatch] === 0 ? {} : { pipeline: microbatches.pipeline[microbatch]! }),
    ...(microbatches.forwardOnly[microbatch] === 0 ? {} : { forwardOnly: true }),
    parts: partsOf(microbatches, microbatch).map((part, position) => {
      return { ...part, ...shapes[microbatches.shape[microbatch]!]!.parts[position]! };
    }),
  })),
  programs: programs.map(formatProgram),
});

/** Reads a plan; its structure is checked here, its sense by `validate`. */
export const planFromJson = (json: unknown): E.Either<Problems, Plan> =>
  pipe(readStructure(PLAN, json), E.chain(buildPlan));

const buildPlan = ({ microbatches, programs, ...tables }: PlanJson): E.Either<Problems, Plan> => {
  const problems: Problem[] = referenceProblems({ microbatches, programs, ...tables });
  const parsed: Program[] = [];
  for (const [device, line] of programs.entries()) {
    const program = parseProgram(line);
    if (E.isRight(program)) parsed.push(program.right);
    else problems.push(...program.left.map(({ path, message }) => problem(`programs[${device}]${path}`, message)));
  }
  if (isNonEmpty(problems)) return E.left(problems);
  const builder = createMicrobatchBuilder();
  for (const { group, parts, ...travel } of microbatches) builder.push(group, parts, travel);
  return E.right({ ...tables, shapes: builder.shapes(), microbatches: builder.build(), programs: parsed });
};

/** Numbers that point at something the plan does not have. */
const referenceProblems = ({ devices, adapters, arrivalsNs, stages, microbatches, programs }: PlanJson): Problem[] => [
  ...(programs.length === devices.length
    ? []
    : [problem('programs', `has ${programs.length} programs for ${devices.length} devices; expected one each`)]),
  ...(arrivalsNs.length === adapters.length
    ? []
    : [problem('arrivalsNs', `has ${arrivalsNs.length} times for ${adapters.length} adapters; expected one each`)]),
  ...stages.flatMap(({ device }, stage) =>
    device < devices.length ? [] : [problem(`stages[${stage}].device`, `is ${device}; there are ${devices.length} devices`)],
  ),
  ...microbatches.flatMap(({ parts }, microbatch) =>
    parts.flatMap(({ adapter }, part) =>
      adapter < adapters.length
        ? []
        : [problem(`microbatches[${microbatch}].parts[${part}].adapter`, `is ${adapter}; there are ${adapters.length} adapters`)],
    ),
  ),
];
