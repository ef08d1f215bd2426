/**
 * Schedules as the CSV of PyTorch's `torch.distributed.pipelining` (schedules.py: `_dump_csv`, `_load_csv`,
 * `_Action.from_str`): a line per rank, a cell per action such as `2F0`, `1B2`, `0I3`, `0W3`; an empty cell is idle. We
 * write the format `compute_only`, which PyTorch lowers itself: what `compute_comms` must have beside the passes differs
 * from version to version (2.15 asks for the waits of sends). Both are read. A file is one mini-batch of one model.
 */
import * as E from 'fp-ts/lib/Either.js';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import type { Pass, PipelineOrder } from '../planners/pipeline-orders.ts';
import { problem, show, type Problem, type Problems } from '../problem.ts';
import { STREAM, STREAM_OF_KIND, streamOf, type ComputeOpKind } from './op.ts';
import { opsOf, type Plan } from './plan.ts';
import { formatOp } from './text.ts';

/** What keeps a plan from being a mini-batch of one model. */
const misfitsOf = ({ adapters, microbatches, programs }: Plan): Problem[] => [
  ...(adapters.length === 1
    ? []
    : [problem('jobs', `are ${adapters.length}; PyTorch's schedules are one mini-batch of one model, so plan an experiment with one job`)]),
  ...(microbatches.pipeline.every((pipeline) => pipeline === 0) ? [] : [problem('schedule', 'has several pipelines; PyTorch writes one')]),
  ...(programs.some(({ kind }) => kind.some((code) => STREAM_OF_KIND[code] === STREAM.collective))
    ? [problem('schedule', 'has collectives, which PyTorch plans outside its pipeline schedules')]
    : []),
];

/** Place of every microbatch in the first mini-batch, by its number in the plan; −1 for all others. */
const placesInFirst = ({ microbatches }: Plan): Int32Array => {
  const { partStart, partIteration, partIndex, forwardOnly, length } = microbatches;
  let first = Infinity;
  for (let m = 0; m < length; m++) if (forwardOnly[m] === 0) first = Math.min(first, partIteration[partStart[m]!]!);
  return Int32Array.from({ length }, (_, microbatch) => {
    const part = partStart[microbatch]!;
    return forwardOnly[microbatch] === 0 && partIteration[part] === first ? partIndex[part]! : -1;
  });
};

/** The first mini-batch of a plan as a CSV that PyTorch loads. */
export const formatPytorchCsv = (plan: Plan): E.Either<Problems, string> => {
  const problems = misfitsOf(plan);
  if (isNonEmpty(problems)) return E.left(problems);
  const places = placesInFirst(plan);
  const lines = plan.programs.map((program) =>
    [...opsOf(program)].flatMap((op) => {
      if (!('microbatch' in op) || streamOf(op.kind) !== 'compute') return [];
      const place = places[op.microbatch]!;
      return place < 0 ? [] : [formatOp({ ...op, microbatch: place })];
    }),
  );
  return E.right(lines.map((cells) => `${cells.join(',')}\n`).join(''));
};

const PASSES: Readonly<Record<string, ComputeOpKind>> = { F: 'forward', B: 'backward', I: 'backwardInput', W: 'backwardWeight' };

const CODES: Readonly<Record<ComputeOpKind, string>> = { forward: 'F', backward: 'B', backwardInput: 'I', backwardWeight: 'W' };

/** Passes, and actions that a plan gets by lowering or does not need. */
const ACTION = /^(\d+)(?:([FBIW])(\d+)|(?:WAIT_)?(?:SEND|RECV)_[FB]\d+|(?:UNSHARD|RESHARD|(?:WAIT_)?REDUCE_GRAD)\d*)$/;

/** A cell as a pass; null for an action that is left out, undefined for what is none. */
const readCell = (cell: string): Pass | null | undefined => {
  const match = ACTION.exec(cell);
  if (match === null) return cell === '' ? null : undefined;
  const [, stage, kind, index] = match;
  return kind === undefined ? null : { kind: PASSES[kind]!, stage: Number(stage), index: Number(index) };
};

/** Reads either format as the order of a mini-batch's passes; transfers are left to lowering. */
export const readPytorchCsv = (text: string): E.Either<Problems, PipelineOrder> => {
  const problems: Problem[] = [];
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  while (lines.at(-1)?.trim() === '') lines.pop();
  const order = lines.map((line, rank) =>
    line.split(',').flatMap((quoted, column): Pass[] => {
      const cell = quoted.trim().replace(/^"(.*)"$/, '$1').trim();
      const found = readCell(cell);
      if (found === undefined) problems.push(problem(`line ${rank + 1}, cell ${column + 1}`, `is ${show(cell)}; expected an action such as 2F0, 1B2, 0I3 or 0W3`));
      return found === undefined || found === null ? [] : [found];
    }),
  );
  if (order.flat().length === 0 && problems.length === 0) problems.push(problem('', 'has no passes; expected a line of actions per rank'));
  return isNonEmpty(problems) ? E.left(problems) : E.right(order);
};

/** What makes an order of passes unfit for a plan's placement: other ranks, stages or microbatches, or not all passes once. */
export const checkOrder = (order: PipelineOrder, plan: Plan): E.Either<Problems, PipelineOrder> => {
  const problems = [
    ...(order.length === plan.devices.length ? [] : [problem('', `has ${order.length} lines; the cluster has ${plan.devices.length} devices`)]),
    ...order.flatMap((passes, device) => [...new Set(passes.map(({ stage }) => stage))].flatMap((stage) => checkStage(plan, device, stage))),
  ];
  const all = problems.length > 0 ? problems : checkPasses(order.flat(), plan);
  return isNonEmpty(all) ? E.left(all) : E.right(order);
};

const checkStage = ({ stages, schedule }: Plan, device: number, stage: number): Problem[] => {
  const home = stages[stage]?.device;
  if (home === device) return [];
  const place = home === undefined ? `${schedule} does not have: it has ${stages.length}` : `${schedule} places on line ${home + 1}`;
  return [problem(`line ${device + 1}`, `has stage ${stage}, which ${place}`)];
};

/** Every stage has one forward of each microbatch, and one backward or both its halves. */
const checkPasses = (passes: readonly Pass[], plan: Plan): Problem[] => {
  const count = new Map<string, number>();
  for (const { stage, kind, index } of passes) count.set(`${stage}${CODES[kind]}${index}`, (count.get(`${stage}${CODES[kind]}${index}`) ?? 0) + 1);
  const repeated = [...count].filter(([, times]) => times > 1).map(([token, times]) => problem('', `has ${token} ${times} times`));
  const microbatches = 1 + plan.microbatches.partIndex.reduce((most, index) => Math.max(most, index), 0);
  const beyond = [...new Set(passes.map(({ index }) => index))].filter((index) => index >= microbatches);
  const has = (stage: number, code: string, index: number): boolean => count.has(`${stage}${code}${index}`);
  const missing = plan.stages.flatMap((_, stage) =>
    Array.from({ length: microbatches }, (__, index) => index).flatMap((index) => [
      ...(has(stage, 'F', index) ? [] : [problem('', `lacks ${stage}F${index}`)]),
      ...(has(stage, 'B', index) || (has(stage, 'I', index) && has(stage, 'W', index)) ? [] : [problem('', `lacks ${stage}B${index}, or ${stage}I${index} and ${stage}W${index}`)]),
    ]),
  );
  return [...repeated, ...beyond.map((index) => problem('', `has microbatch ${index}; the experiment has ${microbatches}`)), ...missing];
};
