import { describe, expect, it } from 'vitest';
import { SCHEDULE_NAMES } from '../../../core/experiment/schedule.ts';
import { job, minimal, problemsOf, read } from './file.ts';

describe('the schedule', () => {
  it('may be a name only', () => {
    expect(read({ ...minimal, schedule: 'gpipe' }).schedule).toMatchObject({ type: 'gpipe', microbatches: 2 });
  });

  it('has no options of other schedules', () => {
    expect(problemsOf({ ...minimal, schedule: { type: '1f1b', order: 'gpipe', groups: 1 } })).toEqual([
      'schedule.order: is an option of lorapp; 1f1b does not have it',
      'schedule.groups: is an option of lorapp, single, data-parallel, fsdp, tensor-parallel; 1f1b does not have it',
    ]);
  });

  it.each(SCHEDULE_NAMES)('may be %s, with defaults for all its options', (type) => {
    const { schedule } = read({ ...minimal, schedule: type, jobs: [{ ...job, batchSize: 8 }] });
    expect(schedule).toMatchObject({ type, recompute: 'none' });
    expect(Object.values(schedule)).not.toContain(undefined);
  });

  it('splits mini-batches for pipelines and leaves them whole for ranks unless told', () => {
    const microbatchesOf = (type: string): number => read({ ...minimal, schedule: type, jobs: [{ ...job, batchSize: 8 }] }).schedule.microbatches;
    expect(['1f1b', 'zb-v', 'instances', 'single', 'data-parallel', 'fsdp', 'tensor-parallel'].map(microbatchesOf)).toEqual([2, 2, 2, 1, 1, 1, 1]);
  });

  it('may be set as released, which changes defaults and leaves what the file says', () => {
    const scheduleOf = (schedule: object) => read({ ...minimal, schedule, jobs: [{ ...job, batchSize: 8 }] }).schedule;
    expect(scheduleOf({ type: '1f1b', setting: 'released' })).toMatchObject({ loss: 'head' });
    expect(scheduleOf({ type: 'lorapp', setting: 'released' })).toMatchObject({ loss: 'head', release: 'greedy' });
    expect(scheduleOf({ type: 'fsdp', setting: 'released', batch: 'global' })).toMatchObject({ unit: 'module', batch: 'global' });
    expect(scheduleOf({ type: 'tensor-parallel', setting: 'released' })).toMatchObject({ collectives: 'released' });
    expect(scheduleOf({ type: 'tensor-parallel', setting: 'fair' })).toEqual(scheduleOf({ type: 'tensor-parallel' }));
    expect(problemsOf({ ...minimal, schedule: { type: 'zb-v', setting: 'released' } })).toEqual([
      'schedule.setting: is an option of gpipe, 1f1b, lorapp, fsdp, tensor-parallel; zb-v does not have it',
    ]);
  });

  it('has options in their range only', () => {
    expect(
      problemsOf({ ...minimal, schedule: { microbatches: 0, groups: 0, extraInFlight: -1, release: 'soon' } }),
    ).toEqual([
      'schedule.microbatches: is 0; expected a whole number of at least 1',
      'schedule.release: is "soon"; expected one of staggered, greedy',
      'schedule.groups: is 0; expected auto or a whole number of at least 1',
      'schedule.extraInFlight: is -1; expected auto or a whole number of at least 0',
    ]);
  });

  it('suits cluster, model and jobs', () => {
    const with8 = { ...minimal, cluster: '8xH100-nvlink', model: 'TinyLlama-1.1B' };
    const batch = (batchSize: number) => ({ jobs: [{ ...job, batchSize }] });
    expect(problemsOf({ ...with8, schedule: { type: 'fsdp', microbatches: 2 }, ...batch(8) })).toEqual([
      'jobs[0].batchSize: is 8; expected at least schedule.microbatches on each of 8 devices, 16',
    ]);
    expect(problemsOf({ ...with8, schedule: { type: 'fsdp', microbatches: 2, batch: 'perRank' }, ...batch(1) })).toEqual([
      'jobs[0].batchSize: is 1; expected at least schedule.microbatches, 2',
    ]);
    expect(problemsOf({ ...with8, schedule: { type: 'interleaved', chunks: 3 }, ...batch(8) })).toEqual([
      'cluster: has 8 devices, for which interleaved needs 24 stages; expected at most 22, one for each layer of the model',
    ]);
    expect(problemsOf({ ...with8, schedule: { type: 'instances', devices: 3 }, ...batch(8) })).toEqual([
      'schedule.devices: is 3; expected a divisor of the 8 devices',
    ]);
    expect(problemsOf({ ...with8, model: 'SmolLM2-135M', schedule: 'tensor-parallel', ...batch(8) })).toEqual([
      "cluster: has 8 devices; tensor-parallel needs a divisor of the model's 9 heads and of its MLP's width, 1536",
    ]);
  });
});
