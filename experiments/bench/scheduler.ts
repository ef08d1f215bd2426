import { createScheduler } from '../../core/scheduler/scheduler.ts';
import { makePolicy, POLICY_NAMES, type PolicyName } from '../../core/scheduler/policy.ts';
import type { JobSpec } from '../../core/scheduler/job.ts';
import { evaluateLaw, fitLaw, type JobSize } from '../../core/scheduler/memory-law.ts';
import { drawLengths } from '../../core/experiment/synthetic.ts';
import { NS_PER_MS, NS_PER_S } from '../../core/units.ts';
import { ledgerParts } from '../scorecard/memory-law/ledger.ts';

const SIZES = [1000, 100_000];
const TARGET_MS = [1, 50];
const PIPELINES = 16;
const BUDGET_BYTES = [40e9, 40e9, 40e9, 40e9];

/** Time of a decision with many jobs in the queue, and how far the memory law is off the ledger it was fitted to. */
export const benchScheduler = (): void => {
  for (const [index, queued] of SIZES.entries()) {
    console.log(`decisions at ${queued.toLocaleString('en')} queued jobs on ${PIPELINES} pipelines of four devices; target below ${TARGET_MS[index]} ms`);
    for (const name of POLICY_NAMES) printDecisions(name, queued);
  }
  printMemoryLaw();
};

const numbers = (maximum: number, count: number, seed: number): Uint32Array => drawLengths({ type: 'uniform', minimum: 1, maximum }, count, seed);

const printDecisions = (name: PolicyName, queued: number): void => {
  const scheduler = createScheduler({
    policy: makePolicy(name, { quantumNs: 600 * NS_PER_S, levelNs: 3600 * NS_PER_S }),
    budgetBytes: Array.from({ length: PIPELINES }, () => BUDGET_BYTES),
    slots: 8,
  });
  const count = queued + 2000;
  const [priorities, users, iterations, gigabytes] = [numbers(4, count, 1), numbers(100, count, 2), numbers(5000, count, 3), numbers(20, count, 4)];
  const jobOf = (number: number): JobSpec => ({
    id: `job-${number}`,
    user: `user-${users[number]}`,
    priority: priorities[number]!,
    iterations: iterations[number]!,
    iterationNs: NS_PER_S,
    memoryKind: 'any',
    size: { rows: 8, length: 512 },
    ledgerBytes: BUDGET_BYTES.map(() => gigabytes[number]! * 1e9),
  });
  // The queue is filled while no pipeline is up, which takes no decisions.
  for (let pipeline = 0; pipeline < PIPELINES; pipeline++) scheduler.handle({ kind: 'deviceLost', timeNs: 0, pipeline });
  for (let number = 0; number < queued; number++) scheduler.handle({ kind: 'submitted', timeNs: number * NS_PER_MS, job: jobOf(number) });
  for (let pipeline = 0; pipeline < PIPELINES; pipeline++) scheduler.handle({ kind: 'pipelineReady', timeNs: queued * NS_PER_MS, pipeline, budgetBytes: BUDGET_BYTES });
  const times: number[] = [];
  const timed = (decide: () => void): void => {
    const start = performance.now();
    decide();
    times.push(performance.now() - start);
  };
  // Work goes on: jobs that were asked leave, others finish, new ones come.
  for (let number = queued; number < count; number++) {
    const timeNs = number * NS_PER_MS;
    const job = scheduler.jobsOn(number % PIPELINES)[0];
    if (job?.status === 'leaving') timed(() => scheduler.handle({ kind: 'left', timeNs, job: job.spec.id, iteration: job.iteration + 1 }));
    else if (job !== undefined) timed(() => scheduler.handle({ kind: 'iterationFinished', timeNs, job: job.spec.id, iteration: number % 4 === 0 ? job.spec.iterations : job.iteration + 1 }));
    timed(() => scheduler.handle({ kind: 'submitted', timeNs, job: jobOf(number) }));
  }
  times.sort((a, b) => a - b);
  const at = (share: number): string => times[Math.floor(share * (times.length - 1))]!.toFixed(3);
  console.log(`  ${name.padEnd(9)} median ${at(0.5)} ms, 99 % ${at(0.99)} ms, worst ${at(1)} ms; ${scheduler.waitingCount()} wait`);
};

const COUNTS = [3, 15];
const TEST_POINTS = 40;
const DRAWS = 50;

const printMemoryLaw = (): void => {
  console.log('memory law against the ledger, batches of 1 to 16 rows of 64 to 2,048 tokens, an inner stage of Llama-2-7B in fp32');
  for (const points of COUNTS) {
    const errors = Array.from({ length: DRAWS }, (_, draw) => lawError(points, draw));
    const mean = errors.reduce((sum, each) => sum + each, 0) / DRAWS;
    console.log(`  ${points} points: mean error ${(100 * mean).toFixed(3)} % over ${DRAWS} draws, ${(100 * Math.max(...errors)).toFixed(3)} % in the worst draw (target ${points === 3 ? '1' : '0.25'} %)`);
  }
};

/** Mean error of a law fitted to random sizes, on others; what lives while a pass runs is predicted, as in a run. */
const lawError = (points: number, draw: number): number => {
  const count = points + TEST_POINTS;
  const [rows, lengths] = [numbers(16, count, 100 + draw), drawLengths({ type: 'uniform', minimum: 8, maximum: 256 }, count, 200 + draw)];
  const sizes = Array.from(rows, (each, index): JobSize => ({ rows: each, length: 8 * lengths[index]! }));
  const amounts = sizes.map(ledgerParts);
  const law = fitLaw(sizes.slice(0, points), amounts.slice(0, points).map(({ keptGB }) => keptGB));
  const errors = sizes.slice(points).map((size, index) => {
    const { keptGB, passGB } = amounts[points + index]!;
    return Math.abs((evaluateLaw(law, size) + passGB) / (keptGB + passGB) - 1);
  });
  return errors.reduce((sum, error) => sum + error, 0) / TEST_POINTS;
};
