import * as E from 'fp-ts/lib/Either.js';
import { problem, show, type Problems } from '../problem.ts';
import { makeOp, operandOf, subjectOf, type Op, type OpKind } from './op.ts';
import { opsOf, type Plan, type Program } from './plan.ts';
import { createProgramBuilder } from './builders.ts';

/** Text code of each kind; passes and transfers are those of PyTorch's pipelining schedules. */
const CODES: Record<OpKind, string> = {
  forward: 'F',
  backward: 'B',
  backwardInput: 'I',
  backwardWeight: 'W',
  step: 'STEP',
  sendForward: 'SEND_F',
  receiveForward: 'RECV_F',
  sendBackward: 'SEND_B',
  receiveBackward: 'RECV_B',
  load: 'LOAD',
  save: 'SAVE',
  release: 'RELEASE',
  allGatherForward: 'GATHER_F',
  allGatherBackward: 'GATHER_B',
  allReduceForward: 'REDUCE_F',
  allReduceBackward: 'REDUCE_B',
  allReduceGradients: 'REDUCE',
  reduceScatterGradients: 'SCATTER',
  allReduceNorm: 'NORM',
};

const KINDS = new Map(Object.entries(CODES).map(([kind, code]) => [code, kind as OpKind]));

/** One token: `2F0` is stage 2's forward of microbatch 0, `0STEP1.4` stage 0's step of adapter 1 in iteration 4. */
export const formatOp = (op: Op): string =>
  `${op.stage}${CODES[op.kind]}${operandOf(op)}${'iteration' in op ? `.${op.iteration}` : ''}`;

const TOKEN = /^(\d+)([A-Z_]+)(\d+)(?:\.(\d+))?$/;

/** Reads one token; null when it is none. */
export const parseOp = (token: string): Op | null => {
  const [, stage, code, operand, iteration] = TOKEN.exec(token) ?? [];
  const kind = KINDS.get(code ?? '');
  if (kind === undefined || (subjectOf(kind) === 'iteration') !== (iteration !== undefined)) return null;
  return makeOp(kind, Number(stage), Number(operand), Number(iteration ?? 0));
};

/** A program as one line of tokens. */
export const formatProgram = (program: Program): string => [...opsOf(program)].map(formatOp).join(' ');

/** Reads a line of tokens; every token that is none is a problem with its position. */
export const parseProgram = (text: string): E.Either<Problems, Program> => {
  const builder = createProgramBuilder();
  const problems = [];
  for (const [position, token] of text.split(/\s+/).filter((t) => t !== '').entries()) {
    const op = parseOp(token);
    if (op === null) problems.push(problem(`[${position}]`, `${show(token)} is no op such as 2F0, 1SEND_F3 or 0STEP1.4`));
    else builder.pushOp(op);
  }
  const [first, ...rest] = problems;
  return first === undefined ? E.right(builder.build()) : E.left([first, ...rest]);
};

/** Every program on a line of its own, after the device's name. */
export const formatPlan = (plan: Plan): string =>
  plan.programs.map((program, device) => `${plan.devices[device]}: ${formatProgram(program)}`).join('\n');
