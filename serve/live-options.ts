import * as E from 'fp-ts/lib/Either.js';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import type { Experiment } from '../core/experiment/experiment.ts';
import { problem, type Problem, type Problems } from '../core/problem.ts';
import { makePolicy, type PolicyName } from '../core/scheduler/policy.ts';
import { NS_PER_S } from '../core/units.ts';
import type { BackendName } from '../exec/backend/backend.ts';
import type { LiveRunOptions } from '../exec/live/live-run.ts';
import { checkTrainable } from '../exec/run/trainable-schedule.ts';
import type { DeviceProfile } from '../sim/device-profile.ts';
import { livePipeline } from '../sim/live-pipeline.ts';

export interface LiveChoices {
  readonly policy: PolicyName;
  /** Most jobs at once. */
  readonly slots: number;
  readonly backend: BackendName | 'auto';
  /** Of all devices, instead of those that ship with the project. */
  readonly profile: DeviceProfile | null;
  /** No job's iterations may take longer than this many times what they take alone; null: they may. */
  readonly maximumSlowdown: number | null;
}

/** What a server's run needs of an experiment without jobs. */
export type LiveSetup = Omit<LiveRunOptions, 'folder' | 'onEvent' | 'beforeWriting'>;

/** A user's quantum and what waiting is worth, as in cluster files. */
const QUANTUM_NS = 600 * NS_PER_S;
const LEVEL_NS = 3600 * NS_PER_S;

/** What the dashboard's timeline reaches back. */
const TRACE_OPS = 3000;

const checkServable = ({ schedule, modelSource }: Experiment): Problem[] => [
  ...(modelSource.kind === 'preset' ? [problem('model', 'is a preset, which has no weights; a server needs a model folder')] : []),
  ...(schedule.type === 'lorapp' ? checkTrainable(schedule) : [problem('schedule.type', `is ${schedule.type}; a server runs lorapp, in which jobs come and go`)]),
];

/** The run of a server on an experiment without jobs. Left: what of the experiment a server cannot do. */
export const liveSetupOf = (experiment: Experiment, { policy, slots, backend, profile, maximumSlowdown }: LiveChoices): E.Either<Problems, LiveSetup> => {
  const wrong = checkServable(experiment);
  if (isNonEmpty(wrong)) return E.left(wrong);
  const { model, modelSource, schedule, checkpoint } = experiment;
  return E.right({
    ...livePipeline(experiment, profile === null ? undefined : () => profile),
    model,
    modelFolder: modelSource.kind === 'folder' ? modelSource.path : '',
    backend,
    scheduler: {
      policy: makePolicy(policy, { quantumNs: QUANTUM_NS, levelNs: LEVEL_NS }),
      slots,
      ...(maximumSlowdown === null ? {} : { maximumSlowdown }),
    },
    microbatches: schedule.microbatches,
    checkpoint,
    ranks: 'processes',
    traceOps: TRACE_OPS,
  });
};
