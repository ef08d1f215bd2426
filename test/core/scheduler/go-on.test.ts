import { describe, expect, test } from 'vitest';
import type { Decision } from '../../../core/scheduler/events.ts';
import type { Halving, SweepState } from '../../../core/scheduler/halving.ts';
import { preemptivePriority } from '../../../core/scheduler/policy.ts';
import { createScheduler, type Scheduler } from '../../../core/scheduler/scheduler.ts';
import { jobSpec } from './drive.ts';

/* Jobs that an earlier run has left are submitted again, with where they were and what they were evaluated at. */

const OPTIONS = { policy: preemptivePriority, budgetBytes: [[1000]], slots: 4 };
const fresh = (sweeps: Readonly<Record<string, SweepState>> = {}): Scheduler =>
  createScheduler(OPTIONS, { submissions: 0, jobs: [], pipelines: [{ budgetBytes: [1000], isUp: true }], serviceNs: {}, memory: {}, sweeps });
const kinds = (decisions: readonly Decision[]): readonly string[] => decisions.map(({ kind }) => kind);
const PATIENT = jobSpec('one', { iterations: 10, patience: { evaluations: 2, minimumGain: 0 } });

describe('a job that goes on', () => {
  test('is resumed after its iterations, and one that has none left finishes at once', () => {
    const start = { iteration: 3, evaluations: [] };
    expect(fresh().handle({ kind: 'submitted', timeNs: 0, job: jobSpec('one', { iterations: 9 }), start })).toEqual([{ kind: 'resume', job: 'one', pipeline: 0, iteration: 3 }]);
    expect(fresh().handle({ kind: 'submitted', timeNs: 0, job: jobSpec('one', { iterations: 3 }), start })).toEqual([{ kind: 'finish', job: 'one', outcome: 'completed', iteration: 3 }]);
  });

  test('goes back no further than to its checkpoint when a device is lost, and a checkpoint that is written late is none to go back to', () => {
    const scheduler = fresh();
    const iterations = (...made: readonly number[]) => made.forEach((iteration) => scheduler.handle({ kind: 'iterationFinished', timeNs: 1, job: 'one', iteration }));
    scheduler.handle({ kind: 'submitted', timeNs: 0, job: jobSpec('one', { iterations: 9 }) });
    iterations(1, 2, 3);
    scheduler.handle({ kind: 'checkpointed', timeNs: 1, job: 'one', iteration: 2 });
    scheduler.handle({ kind: 'deviceLost', timeNs: 2, pipeline: 0 });
    scheduler.handle({ kind: 'checkpointed', timeNs: 3, job: 'one', iteration: 3 });
    expect(scheduler.job('one')).toMatchObject({ iteration: 2, checkpoint: 2 });
    expect(scheduler.handle({ kind: 'pipelineReady', timeNs: 4, pipeline: 0, budgetBytes: [1000] })).toEqual([{ kind: 'resume', job: 'one', pipeline: 0, iteration: 2 }]);
    iterations(3);
    scheduler.handle({ kind: 'checkpointed', timeNs: 5, job: 'one', iteration: 3 });
    expect(scheduler.job('one')).toMatchObject({ iteration: 3, checkpoint: 3 });
  });

  test('has the patience it had left', () => {
    const scheduler = fresh();
    scheduler.handle({ kind: 'submitted', timeNs: 0, job: PATIENT, start: { iteration: 3, evaluations: [{ iteration: 1, loss: 1 }, { iteration: 2, loss: 2 }] } });
    expect(kinds(scheduler.handle({ kind: 'evaluated', timeNs: 1, job: 'one', iteration: 3, loss: 3 }))).toEqual(['stop']);
  });

  test('is evaluated once at an iteration, however often that is told', () => {
    const scheduler = fresh();
    scheduler.handle({ kind: 'submitted', timeNs: 0, job: PATIENT });
    scheduler.handle({ kind: 'evaluated', timeNs: 1, job: 'one', iteration: 1, loss: 1 });
    for (const timeNs of [2, 3, 4]) expect(scheduler.handle({ kind: 'evaluated', timeNs, job: 'one', iteration: 2, loss: 2 })).toEqual([]);
    expect(kinds(scheduler.handle({ kind: 'evaluated', timeNs: 5, job: 'one', iteration: 3, loss: 3 }))).toEqual(['stop']);
  });
});

describe('a sweep that goes on', () => {
  const halving: Halving = { name: 'sweep', trials: 4, reduction: 2, rungs: [1] };
  const trial = (index: number) => jobSpec(`trial-${index}`, { iterations: 4, sweep: halving });
  const evaluated = (loss: number) => ({ iteration: 2, evaluations: [{ iteration: 1, loss }] });

  test('holds the trials that it held, lets those go on that may, and ends when none is left', () => {
    // Trial 0 has finished; 1 was held at its rung, 2 had not reached it.
    const saved: SweepState = { submitted: 1, refused: 0, ended: 1, active: 0, results: [[{ job: 'trial-0', loss: 1 }, { job: 'trial-1', loss: 2 }]], promoted: [['trial-0']] };
    const scheduler = fresh({ sweep: saved });
    expect(scheduler.handle({ kind: 'submitted', timeNs: 0, job: trial(1), start: evaluated(2) })).toEqual([]);
    expect(scheduler.job('trial-1')!.status).toBe('paused');
    expect(kinds(scheduler.handle({ kind: 'submitted', timeNs: 1, job: trial(2) }))).toEqual(['admit']);
    expect(kinds(scheduler.handle({ kind: 'submitted', timeNs: 2, job: trial(3) }))).toEqual(['admit']);
    expect(scheduler.handle({ kind: 'evaluated', timeNs: 3, job: 'trial-2', iteration: 1, loss: 3 })).toMatchObject([{ kind: 'preempt', job: 'trial-2' }]);
    // With four results the second best may go on too, which is the one that was held.
    const last = scheduler.handle({ kind: 'evaluated', timeNs: 4, job: 'trial-3', iteration: 1, loss: 4 });
    expect(last).toMatchObject([{ kind: 'preempt', job: 'trial-3' }, { kind: 'resume', job: 'trial-1', iteration: 2 }]);
    for (const job of ['trial-2', 'trial-3']) scheduler.handle({ kind: 'left', timeNs: 5, job, iteration: 2 });
    const ends = scheduler.handle({ kind: 'iterationFinished', timeNs: 6, job: 'trial-1', iteration: 4 }).flatMap((each) => (each.kind === 'finish' ? [`${each.job} ${each.outcome}`] : []));
    expect(ends).toEqual(['trial-1 completed', 'trial-2 stopped', 'trial-3 stopped']);
  });
});
