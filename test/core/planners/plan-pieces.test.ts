import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMicrobatchBuilder, createProgramBuilder } from '../../../core/plan/builders.ts';
import { KIND } from '../../../core/plan/op.ts';
import { opsOf, type Plan } from '../../../core/plan/plan.ts';
import { findDeadlock } from '../../../core/plan/deadlock.ts';
import { validate } from '../../../core/plan/validate.ts';
import { extendUntil, isComplete } from '../../../core/planners/lorapp.ts';
import { joinLorapp, leaveLorapp, type ChangingPlan } from '../../../core/planners/lorapp-changes.ts';
import { startLorapp } from '../../../core/planners/lorapp-state.ts';
import { createPlanPieces, oldestMicrobatch, type PlanPiece } from '../../../core/planners/plan-pieces.ts';
import { createOpWriter } from '../../../core/planners/plan-writer.ts';
import type { AdapterWorkload } from '../../../core/workload.ts';
import { deviceNames, oneLayerStages, unitCost, workload } from './workloads.ts';

interface Setting {
  readonly stages: number;
  readonly adapters: number;
  readonly microbatches: number;
  readonly iterations: number;
  readonly clips: boolean;
  /** Passes of the first device that each piece is extended by. */
  readonly passes: number;
  /** Pieces after which the first adapter leaves and another one comes. */
  readonly changeAfter: number;
}

const arbitrarySetting: fc.Arbitrary<Setting> = fc.record({
  stages: fc.integer({ min: 1, max: 4 }),
  adapters: fc.integer({ min: 1, max: 4 }),
  microbatches: fc.integer({ min: 1, max: 3 }),
  iterations: fc.integer({ min: 1, max: 5 }),
  clips: fc.boolean(),
  passes: fc.integer({ min: 1, max: 5 }),
  changeAfter: fc.nat(12),
});

/** Grows a plan piece by piece, with one change; returns its pieces and its adapters. */
const grow = ({ stages, passes, changeAfter, clips, ...sizes }: Setting): { readonly pieces: readonly PlanPiece[]; readonly adapters: readonly AdapterWorkload[] } => {
  const placed = oneLayerStages(stages);
  const adapters = [...workload({ ...sizes, clips: () => clips }).adapters];
  const problem = {
    workload: { adapters },
    groups: adapters.map((_, adapter) => [adapter]),
    deviceOfStage: placed.map(({ device }) => device),
    cost: unitCost({ forwardNs: 1000, backwardNs: 2000 }),
    transferNs: () => 1,
    memoryBudgets: placed.map(() => Infinity),
    order: '1f1b' as const,
    release: 'staggered' as const,
    extraInFlight: 'auto' as const,
  };
  const target = createPlanPieces(stages, placed);
  const plan: ChangingPlan = { problem, writer: createOpWriter(problem.workload, placed, target) };
  let state = startLorapp(problem);
  const pieces: PlanPiece[] = [];
  while (!isComplete(state)) {
    const wanted = target.passes(0) + passes;
    state = extendUntil(problem, state, plan.writer, () => target.passes(0) >= wanted);
    target.forget(oldestMicrobatch(state));
    pieces.push(target.take());
    if (pieces.length !== changeAfter) continue;
    if (state.nextIterations[0]! < adapters[0]!.iterations) leaveLorapp(plan, state, 0);
    joinLorapp(plan, state, { ...adapters.at(-1)!, name: 'late', iterations: sizes.iterations, arrivalNs: state.nowNs });
  }
  pieces.push(target.take());
  return { pieces, adapters };
};

/** All pieces as one plan. */
const whole = (pieces: readonly PlanPiece[], adapters: readonly AdapterWorkload[], stages: number): Plan => {
  const microbatches = createMicrobatchBuilder();
  const programs = oneLayerStages(stages).map(() => createProgramBuilder());
  for (const piece of pieces) {
    for (const { group, parts, forwardOnly } of piece.microbatches) microbatches.push(group, parts, { forwardOnly });
    for (const [device, program] of piece.programs.entries()) for (const op of opsOf(program)) programs[device]!.pushOp(op);
  }
  return {
    schedule: 'lorapp',
    devices: deviceNames(stages),
    adapters: adapters.map(({ name }) => name),
    arrivalsNs: adapters.map(() => 0),
    stages: oneLayerStages(stages),
    shapes: microbatches.shapes(),
    microbatches: microbatches.build(),
    programs: programs.map((program) => program.build()),
  };
};

describe('a plan taken off in pieces', () => {
  test('is a valid plan in which no stream waits for ever, whatever the pieces and the change in between', () => {
    fc.assert(
      fc.property(arbitrarySetting, (setting) => {
        const { pieces, adapters } = grow(setting);
        const plan = whole(pieces, adapters, setting.stages);
        expect(validate(plan)).toEqual([]);
        expect(findDeadlock(plan)).toEqual([]);
      }),
    );
  });

  test('begins no iteration before its first op is asked for', () => {
    const { pieces } = grow({ stages: 3, adapters: 1, microbatches: 2, iterations: 4, clips: false, passes: 1, changeAfter: 99 });
    const numbered = pieces.map(({ microbatches }) => microbatches.length);
    const firstOf = (piece: PlanPiece): readonly string[] => [...opsOf(piece.programs[0]!)].flatMap(({ kind }) => (KIND[kind] <= KIND.step ? [kind] : [])).slice(0, 1);
    // A round of two microbatches is numbered in the piece that holds its first forward.
    expect(pieces.filter((_, index) => numbered[index]! > 0).map(firstOf)).toEqual([['forward'], ['forward'], ['forward'], ['forward']]);
  });
});
