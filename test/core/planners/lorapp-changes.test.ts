import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, test } from 'vitest';
import { lowerTransfers } from '../../../core/plan/lower-transfers.ts';
import { opsOf, partsOf, type Plan } from '../../../core/plan/plan.ts';
import { validate } from '../../../core/plan/validate.ts';
import { extendLorapp, extendToRoundEnd, isComplete } from '../../../core/planners/lorapp.ts';
import { joinLorapp, leaveLorapp, regroupLorapp, type ChangingPlan } from '../../../core/planners/lorapp-changes.ts';
import { startLorapp, type LorappState } from '../../../core/planners/lorapp-state.ts';
import { createPlanWriter, type PlanWriter } from '../../../core/planners/plan-writer.ts';
import { KIND } from '../../../core/plan/op.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { turnCount, type AdapterWorkload, type Workload } from '../../../core/workload.ts';
import { constantCluster } from '../../../sim/constant-cost.ts';
import { simulate } from '../../../sim/engine/simulate.ts';
import { deviceNames, heldoutEvery, oneLayerStages, unitCost, workload } from './workloads.ts';

const FORWARD_NS = 1000;
const BACKWARD_NS = 2000;
const SLOT_NS = FORWARD_NS + BACKWARD_NS;
const cost = unitCost({ forwardNs: FORWARD_NS, backwardNs: BACKWARD_NS });
/** A transfer of one byte. */
const TRANSFER_NS = 1;

interface Setting {
  readonly stages: number;
  readonly adapters: number;
  readonly microbatches: number;
  readonly iterations: number;
  readonly clips?: boolean;
  /** Held-out rows are evaluated behind the last iteration. */
  readonly closes?: boolean;
}

/** A changing plan that is kept whole. */
type KeptPlan = ChangingPlan & { readonly writer: PlanWriter };

const sized = ({ clips = false, closes = false, ...sizes }: Omit<Setting, 'stages'>): Workload =>
  workload({ ...sizes, clips: () => clips, evaluation: () => (closes ? { ...heldoutEvery(2, 2), last: sizes.iterations } : undefined) });

const start = ({ stages, ...sizes }: Setting): { readonly plan: KeptPlan; readonly state: LorappState } => {
  const adapters = [...sized(sizes).adapters];
  const problem = {
    workload: { adapters },
    groups: adapters.map((_, adapter) => [adapter]),
    deviceOfStage: oneLayerStages(stages).map(({ device }) => device),
    cost,
    transferNs: () => TRANSFER_NS,
    memoryBudgets: oneLayerStages(stages).map(() => Infinity),
    order: '1f1b' as const,
    release: 'staggered' as const,
    extraInFlight: 'auto' as const,
  };
  return { plan: { problem, writer: createPlanWriter(problem.workload, deviceNames(stages), oneLayerStages(stages)) }, state: startLorapp(problem) };
};

const newcomer = (name: string, sizes: Setting, arrivalNs: number): AdapterWorkload => ({
  ...sized({ ...sizes, adapters: 1 }).adapters[0]!,
  name,
  arrivalNs,
});

const finish = ({ problem, writer }: KeptPlan, state: LorappState): Plan => {
  expect(isComplete(extendLorapp(problem, state, writer))).toBe(true);
  return lowerTransfers(writer.build('lorapp'), cost, () => TRANSFER_NS);
};

/** Held-out microbatches that an adapter's weights evaluate after so many iterations. */
const evaluatedAfter = ({ microbatches }: Plan, adapter: number, iterations: number): number =>
  [...microbatches.forwardOnly.keys()].filter((number) => {
    const [part] = partsOf(microbatches, number);
    return microbatches.forwardOnly[number] === 1 && part!.adapter === adapter && part!.iteration === iterations;
  }).length;

describe('a LoRAPP plan whose adapters come, go and change groups', () => {
  const change = fc.record({ kind: fc.constantFrom('join', 'leave', 'regroup'), rounds: fc.nat(6), adapter: fc.nat(8), pair: fc.nat(8) });
  const setting = fc.record({
    stages: fc.integer({ min: 1, max: 4 }),
    adapters: fc.integer({ min: 1, max: 4 }),
    microbatches: fc.integer({ min: 1, max: 3 }),
    iterations: fc.integer({ min: 1, max: 6 }),
    clips: fc.boolean(),
    closes: fc.boolean(),
  });

  test('is valid, and every adapter makes all its iterations up to the end at which it leaves', () => {
    fc.assert(
      fc.property(setting, fc.array(change, { maxLength: 8 }), (sizes, changes) => {
        const { plan, state: first } = start(sizes);
        const { problem, writer } = plan;
        let state = first;
        let nowNs = 0;
        const gone = new Set<number>();
        for (const { kind, rounds, adapter, pair } of changes) {
          for (let round = 0; round < rounds; round++) {
            state = extendToRoundEnd(problem, state, writer, Infinity);
            nowNs = Math.max(nowNs, state.ended?.endNs ?? 0);
          }
          const present = [...problem.workload.adapters.keys()].filter((each) => !gone.has(each) && state.nextIterations[each]! < turnCount(problem.workload.adapters[each]!));
          const one = present[adapter % present.length];
          const other = present[pair % present.length];
          if (kind === 'join') joinLorapp(plan, state, newcomer(`late-${problem.workload.adapters.length}`, sizes, nowNs));
          else if (one !== undefined && kind === 'leave') {
            leaveLorapp(plan, state, one);
            gone.add(one);
          } else if (one !== undefined && other !== undefined && one !== other) regroupLorapp(plan, state, [[one, other]], nowNs);
        }
        const whole = finish(plan, state);
        expect(validate(whole)).toEqual([]);
        for (const [adapter, { iterations }] of problem.workload.adapters.entries()) {
          const steps = [...opsOf(whole.programs[0]!)].flatMap((op) => (op.kind === 'step' && op.adapter === adapter ? [op.iteration] : []));
          expect(steps).toEqual(Array.from({ length: iterations }, (_, iteration) => iteration));
          expect(evaluatedAfter(whole, adapter, sizes.iterations)).toBe(sizes.closes && iterations === sizes.iterations ? 2 : 0);
        }
      }),
    );
  });

  test('a plan extended round by round is the plan made at once', () => {
    fc.assert(
      fc.property(setting, (sizes) => {
        const whole = start(sizes);
        const pieces = start(sizes);
        let { state } = pieces;
        while (!isComplete(state)) state = extendToRoundEnd(pieces.plan.problem, state, pieces.plan.writer, Infinity);
        expect(pieces.plan.writer.build('lorapp').programs).toEqual((extendLorapp(whole.plan.problem, whole.state, whole.plan.writer), whole.plan.writer.build('lorapp').programs));
      }),
    );
  });
});

/** Idle time of a device between two moments. */
const idleNs = (trace: Trace, device: number, fromNs: number, toNs: number): number => {
  const { spans } = trace;
  let busyNs = 0;
  for (let row = 0; row < spans.length; row++) {
    if (spans.device[row] !== device || (spans.kind[row] !== KIND.forward && spans.kind[row] !== KIND.backward)) continue;
    busyNs += Math.max(0, Math.min(toNs, spans.endNs[row]!) - Math.max(fromNs, spans.startNs[row]!));
  }
  return toNs - fromNs - busyNs;
};

/** Ends of an adapter's iterations on the first stage. */
const iterationEnds = (trace: Trace, adapter: number): number[] => {
  const { spans } = trace;
  return [...spans.kind.keys()].filter((row) => spans.kind[row] === KIND.step && spans.stage[row] === 0 && spans.operand[row] === adapter).map((row) => spans.endNs[row]!);
};

describe('one change of a full pipeline, in the trace', () => {
  const sizes = { stages: 4, adapters: 4, microbatches: 4, iterations: 20 };
  const PERIOD_NS = sizes.adapters * sizes.microbatches * SLOT_NS;
  /** The time a microbatch takes to the last stage and back, less its own work on a device. */
  const FILL_NS = (sizes.stages - 1) * (SLOT_NS + 2 * TRANSFER_NS);
  const ROUNDING_NS = 200;

  const runWith = (change: (plan: ChangingPlan, state: LorappState, nowNs: number) => void): { readonly trace: Trace; readonly changedNs: number } => {
    const { plan, state: first } = start(sizes);
    let state = first;
    let changedNs = 0;
    for (let round = 0; round < 6 * sizes.adapters; round++) {
      state = extendToRoundEnd(plan.problem, state, plan.writer, Infinity);
      changedNs = state.ended!.endNs;
    }
    change(plan, state, changedNs);
    const trace = simulate(finish(plan, state), cost, constantCluster(sizes.stages));
    if (E.isLeft(trace)) throw new Error('deadlock');
    return { trace: trace.right, changedNs };
  };
  const idleAfterChange = ({ trace, changedNs }: ReturnType<typeof runWith>): number =>
    Math.max(...oneLayerStages(sizes.stages).map(({ device }) => idleNs(trace, device, changedNs - PERIOD_NS, changedNs + 3 * PERIOD_NS)));

  /** Its microbatches are twice as long, and so is the time they need to the last stage and back. */
  const MERGE = 'a merge of two groups';
  const CHANGES: Readonly<Record<string, (plan: ChangingPlan, state: LorappState, nowNs: number) => void>> = {
    'nothing at all': () => undefined,
    'an arrival': (plan, state, nowNs) => void joinLorapp(plan, state, newcomer('late', sizes, nowNs)),
    'a departure': (plan, state) => void leaveLorapp(plan, state, state.ended!.turns[0]!.adapter),
    'a preemption: one leaves, another takes its place': (plan, state, nowNs) => {
      leaveLorapp(plan, state, state.ended!.turns[0]!.adapter);
      joinLorapp(plan, state, newcomer('late', sizes, nowNs));
    },
    [MERGE]: (plan, state, nowNs) => {
      regroupLorapp(plan, state, [[0, 1]], nowNs);
    },
  };

  test.each(Object.keys(CHANGES))('%s leaves every device idle for at most one fill of the pipeline', (name) => {
    const ran = runWith(CHANGES[name]!);
    expect(idleAfterChange(ran)).toBeLessThanOrEqual((name === MERGE ? 2 : 1) * FILL_NS + ROUNDING_NS);
  });

  test('the iterations of the others take no longer than the work of all jobs that run', () => {
    // Adapters that merge, and groups whose turns change order, wait once.
    for (const [name, change] of Object.entries(CHANGES).filter(([each]) => each !== MERGE)) {
      const { trace, changedNs } = runWith(change);
      const running = name === 'an arrival' ? sizes.adapters + 1 : sizes.adapters;
      for (let adapter = 0; adapter < sizes.adapters; adapter++) {
        const ends = iterationEnds(trace, adapter).filter((endNs) => endNs < changedNs + 4 * PERIOD_NS);
        const longestNs = Math.max(...ends.slice(2).map((endNs, index) => endNs - ends[index + 1]!));
        expect(longestNs, `${name}, adapter ${adapter}`).toBeLessThanOrEqual(running * sizes.microbatches * SLOT_NS + ROUNDING_NS);
      }
    }
  });
});
