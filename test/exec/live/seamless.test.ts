import * as E from 'fp-ts/lib/Either.js';
import { expect, it } from 'vitest';
import { createProgramBuilder } from '../../../core/plan/builders.ts';
import type { CostModel } from '../../../core/cost-model.ts';
import { lowerTransfers } from '../../../core/plan/lower-transfers.ts';
import { KIND } from '../../../core/plan/op.ts';
import { preemptivePriority } from '../../../core/scheduler/policy.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { simulate } from '../../../sim/engine/simulate.ts';
import { iterations, liveJob, liveOptions, startDemo, withFolder } from './live-demo.ts';

/* The trace of a real run says in which order devices did what; replayed with equal times for all, it shows its bubbles. */

const FORWARD_NS = 1000;
const SLOT_NS = 3 * FORWARD_NS;
const STAGES = 2;
const MICROBATCHES = 2;
/** The time a microbatch takes to the last stage and back, less its own work on a device. */
const FILL_NS = (STAGES - 1) * SLOT_NS;

/** Every job of a microbatch takes the same time, so that jobs do better in groups of their own. */
const COST: CostModel = {
  ...constantCost({ forwardNs: 0, backwardNs: 0 }),
  forward: (_, { parts }) => ({ deviceNs: FORWARD_NS * parts.length, launchNs: 0 }),
  backward: (_, { parts }) => ({ deviceNs: 2 * FORWARD_NS * parts.length, launchNs: 0 }),
};

const replay = ({ plan, spans }: Trace): Trace => {
  const programs = plan.devices.map((_, device) => {
    const program = createProgramBuilder();
    for (let row = 0; row < spans.length; row++) {
      const kind = spans.kind[row]!;
      if (spans.device[row] === device && kind <= KIND.step) program.push(kind, spans.stage[row]!, spans.operand[row]!, spans.iteration[row]!);
    }
    return program.build();
  });
  const replayed = simulate(lowerTransfers({ ...plan, programs }, COST, () => 0), COST, constantCluster(STAGES));
  if (E.isLeft(replayed)) throw new Error('the order of a real run deadlocks');
  return replayed.right;
};

/** Ends of a job's ops of a kind on a stage. */
const ends = ({ plan, spans }: Trace, job: string, kind: number, stage: number): readonly number[] => {
  const adapter = plan.adapters.indexOf(job);
  const { microbatches } = plan;
  return [...spans.kind.keys()].flatMap((row) => {
    const operand = spans.operand[row]!;
    const of = kind === KIND.step ? operand : microbatches.partAdapter[microbatches.partStart[operand]!]!;
    return spans.kind[row] === kind && spans.stage[row] === stage && of === adapter ? [spans.endNs[row]!] : [];
  });
};

const idleNs = ({ spans }: Trace, device: number, fromNs: number, toNs: number): number => {
  let busyNs = 0;
  for (let row = 0; row < spans.length; row++) {
    if (spans.device[row] !== device || spans.kind[row]! > KIND.backward) continue;
    busyNs += Math.max(0, Math.min(toNs, spans.endNs[row]!) - Math.max(fromNs, spans.startNs[row]!));
  }
  return toNs - fromNs - busyNs;
};

const STAYS = liveJob('stays', 'sums', { priority: 1, ...iterations(24) });
const GIVES = liveJob('gives', 'dates', { seed: 2, ...iterations(16) });
const URGENT = liveJob('urgent', 'opposites', { seed: 3, priority: 2, ...iterations(4) });

it('one job takes the place of another while a third goes on: each change idles a device for at most one fill', () =>
  withFolder(async (folder) => {
    const demo = await startDemo(liveOptions(folder, STAGES, { costs: { costOf: () => COST, transferNs: () => 1 }, microbatches: MICROBATCHES, scheduler: { policy: preemptivePriority, slots: 2, leastGain: -1 } }));
    await demo.submit(STAYS, GIVES);
    await demo.until('iteration', { job: 'gives', iteration: 2 });
    await demo.submit(URGENT);
    await Promise.all([STAYS, GIVES, URGENT].map(({ id }) => demo.until('finished', { job: id })));
    await demo.run.close();

    const trace = replay(demo.run.trace());
    const steps = ends(trace, 'stays', KIND.step, 0);
    const periods = steps.slice(1).map((endNs, index) => endNs - steps[index]!);
    // Two jobs of two microbatches: that much work there is in an iteration. Of the three changes (the second job comes, is
    // replaced, comes back) each costs the job that stays no more than the fill of the pipeline by the one that comes, once.
    const workNs = 2 * MICROBATCHES * SLOT_NS;
    expect(Math.max(...periods)).toBeLessThanOrEqual(workNs + FILL_NS);
    expect(periods.filter((periodNs) => periodNs > workNs).length).toBeLessThanOrEqual(3);
    const firstForward = Math.min(...ends(trace, 'urgent', KIND.forward, 0)) - FORWARD_NS;
    const firstStep = ends(trace, 'urgent', KIND.step, 0)[0]!;
    for (let device = 0; device < STAGES; device++) expect(idleNs(trace, device, firstForward, firstStep)).toBeLessThanOrEqual(FILL_NS);
  }), 60_000);
