import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, test } from 'vitest';
import { planFromJson, planToJson } from '../../../core/plan/json.ts';
import { makeOp, OP_KINDS, type Op } from '../../../core/plan/op.ts';
import { formatOp, formatPlan, parseOp, parseProgram } from '../../../core/plan/text.ts';
import { planOneForwardOneBackward } from '../../../core/planners/barrier.ts';
import { deviceNames, oneLayerStages, workload } from '../planners/workloads.ts';

const number = fc.nat({ max: 5000 });

const ops: fc.Arbitrary<Op> = fc
  .record({ kind: fc.constantFrom(...OP_KINDS), stage: number, operand: number, iteration: number })
  .map(({ kind, stage, operand, iteration }) => makeOp(kind, stage, operand, iteration));

describe('text form', () => {
  test.each<[string, Op]>([
    ['2F0', { kind: 'forward', stage: 2, microbatch: 0 }],
    ['1SEND_F3', { kind: 'sendForward', stage: 1, microbatch: 3 }],
    ['2RECV_F3', { kind: 'receiveForward', stage: 2, microbatch: 3 }],
    ['0STEP1.4', { kind: 'step', stage: 0, adapter: 1, iteration: 4 }],
    ['3RELEASE7', { kind: 'release', stage: 3, adapter: 7 }],
    ['2I0', { kind: 'backwardInput', stage: 2, microbatch: 0 }],
    ['2W0', { kind: 'backwardWeight', stage: 2, microbatch: 0 }],
    ['5GATHER_B1', { kind: 'allGatherBackward', stage: 5, microbatch: 1 }],
    ['1NORM0.3', { kind: 'allReduceNorm', stage: 1, adapter: 0, iteration: 3 }],
  ])('%s names an op', (token, op) => {
    expect(parseOp(token)).toEqual(op);
    expect(formatOp(op)).toBe(token);
  });

  test('round-trips every op', () => {
    fc.assert(
      fc.property(ops, (op) => {
        expect(parseOp(formatOp(op))).toEqual(op);
      }),
    );
  });

  test('names every token that is no op, with its position', () => {
    expect(parseProgram('0F0 zap 0STEP1 0B0 1F2.3')).toEqual(
      E.left([
        { path: '[1]', message: '"zap" is no op such as 2F0, 1SEND_F3 or 0STEP1.4' },
        { path: '[2]', message: '"0STEP1" is no op such as 2F0, 1SEND_F3 or 0STEP1.4' },
        { path: '[4]', message: '"1F2.3" is no op such as 2F0, 1SEND_F3 or 0STEP1.4' },
      ]),
    );
  });
});

describe('JSON form', () => {
  const plan = planOneForwardOneBackward(workload({ adapters: 2, microbatches: 3, iterations: 2 }), deviceNames(3), oneLayerStages(3));

  test('round-trips a plan', () => {
    const read = planFromJson(JSON.parse(JSON.stringify(planToJson(plan))));
    expect(read).toEqual(E.right(plan));
    expect(E.isRight(read) && formatPlan(read.right)).toBe(formatPlan(plan));
  });

  test('reports everything wrong with a file at once', () => {
    const json = planToJson(plan);
    const wrong = { ...json, stages: [{ ...json.stages[0]!, device: 9 }], programs: ['0F0 x', '1F0'] };
    const read = planFromJson(wrong);
    expect(E.isLeft(read) && read.left.map(({ path }) => path)).toEqual(['programs', 'stages[0].device', 'programs[0][1]']);
  });

  test('names an unknown key', () => {
    const read = planFromJson({ ...planToJson(plan), devics: [] });
    expect(E.isLeft(read) && read.left[0].message).toContain('devices');
  });
});
