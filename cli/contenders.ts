import * as E from 'fp-ts/lib/Either.js';
import { checkPlacement, checkSchedule } from '../core/experiment/checks.ts';
import type { Experiment } from '../core/experiment/experiment.ts';
import { readSchedule, RELEASED } from '../core/experiment/schedule-section.ts';
import { SCHEDULE_NAMES, type Schedule, type ScheduleName } from '../core/experiment/schedule.ts';
import { suggest } from '../core/nearest.ts';
import { formatProblems, problem, show, type Problem, type Problems } from '../core/problem.ts';
import { inside } from '../core/structure.ts';

/** A schedule to compare and what it is called in tables. */
export interface Contender {
  readonly name: string;
  readonly schedule: Schedule;
}

/** Schedules that the released code of the mLoRA paper carries out otherwise than a fair comparison would. */
const RELEASED_TYPES = ['1f1b', 'lorapp', 'fsdp', 'tensor-parallel'] as const satisfies readonly ScheduleName[];

/** Every schedule there is, with the experiment's own options where it has them, and the settings that differ most. */
export const allContenders = ({ schedule: own, jobs, cluster }: Experiment): readonly Contender[] => {
  const pipelineMicrobatches = Math.min(cluster.devices.length, ...jobs.map(({ batchSize }) => batchSize));
  const { recompute } = own;
  // Pieces of a pipeline's mini-batch are not those of a rank's.
  const microbatches = isPipeline(own) ? own.microbatches : pipelineMicrobatches;
  const scheduleOf = (type: ScheduleName, changes: object = {}): Schedule => {
    const read = readSchedule({ ...(own.type === type ? own : { type, recompute }), ...changes }, microbatches);
    if (E.isLeft(read)) throw new Error(formatProblems(type, read.left));
    return read.right;
  };
  return [
    ...SCHEDULE_NAMES.map((type) => ({ name: type, schedule: scheduleOf(type) })),
    { name: 'lorapp, greedy release', schedule: scheduleOf('lorapp', { release: 'greedy' }) },
    { name: 'lorapp, gpipe order', schedule: scheduleOf('lorapp', { order: 'gpipe' }) },
    ...RELEASED_TYPES.map((type) => ({ name: `${type}, as released`, schedule: scheduleOf(type, RELEASED[type]) })),
  ];
};

const isPipeline = ({ type }: Schedule): boolean =>
  !(['single', 'data-parallel', 'fsdp', 'tensor-parallel'] as readonly ScheduleName[]).includes(type);

/** Contenders of the wanted types, a comma between them; all where nothing is said. Left: types that do not exist. */
export const chooseContenders = (experiment: Experiment, wanted: string | undefined): E.Either<Problems, readonly Contender[]> => {
  const all = allContenders(experiment);
  if (wanted === undefined) return E.right(all);
  const types = wanted.split(',').map((type) => type.trim());
  const [first, ...others] = types.filter((type) => !(SCHEDULE_NAMES as readonly string[]).includes(type)).map(unknownType);
  if (first !== undefined) return E.left([first, ...others]);
  return E.right(all.filter(({ schedule }) => types.includes(schedule.type)));
};

const unknownType = (type: string): Problem => {
  const names = SCHEDULE_NAMES.join(', ');
  return problem('', `${show(type)} is no schedule; expected some of ${names}${suggest(type, SCHEDULE_NAMES)}`);
};

/** Why an experiment cannot have a schedule at all, whatever the memory. */
export const unsuitable = ({ model, cluster, jobs }: Experiment, schedule: Schedule): readonly Problem[] => [
  ...checkSchedule(schedule, {
    deviceCount: cluster.devices.length,
    jobs: jobs.map((job, index) => ({ place: inside('jobs', index), job })),
    jobCount: jobs.length,
  }),
  ...checkPlacement(schedule, cluster, model),
];
