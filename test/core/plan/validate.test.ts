import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isRight } from 'fp-ts/lib/Either.js';
import { createProgramBuilder } from '../../../core/plan/builders.ts';
import { formatViolations } from '../../../core/plan/grid.ts';
import { lowerTransfers } from '../../../core/plan/lower-transfers.ts';
import type { Op } from '../../../core/plan/op.ts';
import { opsOf, type Plan } from '../../../core/plan/plan.ts';
import { formatOp, parseProgram } from '../../../core/plan/text.ts';
import { validate } from '../../../core/plan/validate.ts';
import type { Rule } from '../../../core/plan/violation.ts';
import { planOneForwardOneBackward } from '../../../core/planners/barrier.ts';
import { deviceNames, oneLayerStages, unitCost, workload } from '../planners/workloads.ts';

const COST = unitCost({ forwardNs: 10, backwardNs: 10, activationBytes: 100 });

const validPlan = (): Plan =>
  lowerTransfers(
    planOneForwardOneBackward(workload({ adapters: 1, microbatches: 2, iterations: 2 }), deviceNames(2), oneLayerStages(2)),
    COST,
    () => 1,
  );

/** The plan with one device's program replaced by a line of tokens. */
const withProgram = (plan: Plan, device: number, line: string): Plan => {
  const program = parseProgram(line);
  if (!isRight(program)) throw new Error(JSON.stringify(program.left));
  return { ...plan, programs: plan.programs.map((old, index) => (index === device ? program.right : old)) };
};

const withOps = (plan: Plan, device: number, change: (ops: Op[]) => Op[]): Plan => {
  const builder = createProgramBuilder();
  for (const op of change([...opsOf(plan.programs[device]!)])) builder.pushOp(op);
  return { ...plan, programs: plan.programs.map((old, index) => (index === device ? builder.build() : old)) };
};

const replaced = (plan: Plan, device: number, from: string, to: string): Plan => {
  const line = [...opsOf(plan.programs[device]!)].map(formatOp).join(' ');
  expect(line).toContain(from);
  return withProgram(plan, device, line.replace(from, to));
};

const rulesOf = (plan: Plan): Rule[] => [...new Set(validate(plan).map(({ rule }) => rule))];

describe('validate', () => {
  test('finds nothing in the plan this test breaks', () => {
    const plan = validPlan();
    expect([...opsOf(plan.programs[1]!)].map(formatOp).join(' ')).toBe(
      '1LOAD0 1RECV_F0 1F0 1SEND_B0 1B0 1SEND_B0'.replace('1SEND_B0 1B0', '1RECV_F1 1B0') +
        ' 1F1 1B1 1SEND_B1 1STEP0.0 1RECV_F2 1F2 1RECV_F3 1B2 1SEND_B2 1F3 1B3 1SEND_B3 1STEP0.1 1SAVE0 1RELEASE0',
    );
    expect(validate(plan)).toEqual([]);
  });

  test.each<[string, number, string, string, Rule]>([
    ['a step before the last backward of its iteration', 1, '1B1 1SEND_B1 1STEP0.0', '1STEP0.0 1B1 1SEND_B1', 'step'],
    ['a forward with weights one step old', 1, '1STEP0.0 1RECV_F2 1F2', '1RECV_F2 1F2 1STEP0.0', 'step'],
    ['a dropped backward', 1, '1B1 1SEND_B1 ', '', 'missing'],
    ['a dropped step', 0, '0STEP0.0 ', '', 'missing'],
    ['an op that stands twice', 0, '0F0', '0F0 0F0', 'once'],
    ['a backward before its forward', 1, '1F1 1B1', '1B1 1F1', 'order'],
    ['a forward before its input is received', 1, '1RECV_F0 1F0', '1F0 1RECV_F0', 'order'],
    ['a send before what it sends is computed', 0, '0F0 0SEND_F0', '0SEND_F0 0F0', 'order'],
    ['a send that nobody receives', 1, '1RECV_F0 ', '', 'pairing'],
    ['a receive that nobody sends', 0, '0SEND_F1 ', '', 'pairing'],
    ['an op of another device’s stage', 0, '0F0', '1F0', 'placement'],
    ['a microbatch the plan does not have', 0, '0F0', '0F0 0F99', 'known'],
    ['a step of an iteration without microbatches', 0, '0STEP0.1', '0STEP0.1 0STEP0.2', 'step'],
    ['an adapter used before it is loaded', 0, '0LOAD0 0F0', '0F0 0LOAD0', 'lifecycle'],
    ['an adapter that is never saved', 0, ' 0SAVE0', '', 'lifecycle'],
    ['an adapter released before it is saved', 0, '0SAVE0 0RELEASE0', '0RELEASE0 0SAVE0', 'lifecycle'],
  ])('reports %s', (_what, device, from, to, rule) => {
    expect(rulesOf(replaced(validPlan(), device, from, to))).toContain(rule);
  });

  test('reports a deadlock with the op each stream waits at', () => {
    const plan = validPlan();
    const swapped = withOps(plan, 1, (ops) => {
      const tokens = ops.map(formatOp);
      const [first, second] = [tokens.indexOf('1RECV_F0'), tokens.indexOf('1RECV_F1')];
      const copy = [...ops];
      [copy[first], copy[second]] = [ops[second]!, ops[first]!];
      // Both receives stand before the forwards they feed, only their order is wrong.
      const forward = copy.splice(tokens.indexOf('1F0'), 1)[0]!;
      copy.splice(copy.findIndex((op) => formatOp(op) === '1RECV_F0') + 1, 0, forward);
      return copy;
    });
    const deadlocks = validate(swapped).filter(({ rule }) => rule === 'deadlock');
    expect(deadlocks.map(({ message }) => message)).toContain('the receive stream waits for ever at 1RECV_F1');
    expect(deadlocks.map(({ message }) => message)).toContain('the send stream waits for ever at 0SEND_F0');
  });

  test('reports bytes beyond a device’s capacity at the op that needs them', () => {
    const violations = validate(validPlan(), { cost: COST, capacityBytes: [150, 1000] });
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatchObject({ rule: 'memory', device: 0 });
    expect(violations[0]!.message).toBe('200 B held, 150 B there; most is activations');
  });

  test('prints a grid with the wrong cell marked', () => {
    const plan = replaced(validPlan(), 1, '1F1 1B1', '1B1 1F1');
    const text = formatViolations(plan, validate(plan));
    expect(text).toContain('gpu1 at 6 (1B1): order: comes before its forward 1F1');
    expect(text).toContain('«1B1»');
  });

  test('notices the loss of any one op that computes, steps or transfers', () => {
    const plan = validPlan();
    const places = plan.programs.flatMap((program, device) =>
      [...opsOf(program)].flatMap((op, position) => (op.kind === 'release' ? [] : [{ device, position }])),
    );
    fc.assert(
      fc.property(fc.constantFrom(...places), ({ device, position }) => {
        const broken = withOps(plan, device, (ops) => ops.filter((_, index) => index !== position));
        expect(validate(broken)).not.toEqual([]);
      }),
    );
  });
});
