import * as E from 'fp-ts/lib/Either.js';
import { expect, it } from 'vitest';
import { createProgramBuilder } from '../../../core/plan/builders.ts';
import { lowerTransfers } from '../../../core/plan/lower-transfers.ts';
import { KIND } from '../../../core/plan/op.ts';
import { preemptivePriority } from '../../../core/scheduler/policy.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { constantCluster, constantCost } from '../../../sim/constant-cost.ts';
import { simulate } from '../../../sim/engine/simulate.ts';
import { adapterAlone, adapterOf, iterations, liveJob, liveOptions, startDemo, withFolder } from './live-demo.ts';

/* The trace of a real run says in which order devices did what; replayed with equal times for all, it shows its bubbles. */

const FORWARD_NS = 1000;
const SLOT_NS = 3 * FORWARD_NS;
const STAGES = 2;
const MICROBATCHES = 2;
/** The time a microbatch takes to the last stage and back, less its own work on a device. */
const FILL_NS = (STAGES - 1) * SLOT_NS;

const replay = ({ plan, spans }: Trace): Trace => {
  const cost = constantCost({ forwardNs: FORWARD_NS, backwardNs: 2 * FORWARD_NS });
  const programs = plan.devices.map((_, device) => {
    const program = createProgramBuilder();
    for (let row = 0; row < spans.length; row++) {
      const kind = spans.kind[row]!;
      if (spans.device[row] === device && kind <= KIND.step) program.push(kind, spans.stage[row]!, spans.operand[row]!, spans.iteration[row]!);
    }
    return program.build();
  });
  const replayed = simulate(lowerTransfers({ ...plan, programs }, cost, () => 0), cost, constantCluster(STAGES));
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

it('one job takes the place of another while a third goes on: that one waits for nobody, and no adapter changes', () =>
  withFolder(async (folder) => {
    const jobs = [STAYS, GIVES, URGENT];
    const demo = await startDemo(liveOptions(folder, STAGES, { microbatches: MICROBATCHES, scheduler: { policy: preemptivePriority, slots: 2, leastGain: -1 } }));
    await demo.submit(STAYS, GIVES);
    await demo.until('iteration', { job: 'gives', iteration: 2 });
    await demo.submit(URGENT);
    const ended = await Promise.all(jobs.map(({ id }) => demo.until('finished', { job: id })));
    await demo.run.close();
    for (const [index, end] of ended.entries()) expect(await adapterOf(end)).toEqual(await adapterAlone(jobs[index]!));

    const trace = replay(demo.run.trace());
    const steps = ends(trace, 'stays', KIND.step, 0);
    const periods = steps.slice(1).map((endNs, index) => endNs - steps[index]!);
    // Two jobs of two microbatches each: nobody's iteration takes longer than the work of both.
    expect(Math.max(...periods)).toBeLessThanOrEqual(2 * MICROBATCHES * SLOT_NS);
    const firstForward = Math.min(...ends(trace, 'urgent', KIND.forward, 0)) - FORWARD_NS;
    const firstStep = ends(trace, 'urgent', KIND.step, 0)[0]!;
    console.log('periods', periods.map((p) => p / SLOT_NS).join(' '), 'urgent', (firstStep - firstForward) / SLOT_NS, [0, 1].map((d) => idleNs(trace, d, firstForward, firstStep) / SLOT_NS));
    for (let device = 0; device < STAGES; device++) expect(idleNs(trace, device, firstForward, firstStep)).toBeLessThanOrEqual(FILL_NS);
  }), 60_000);
