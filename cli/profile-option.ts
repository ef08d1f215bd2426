import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { openExperiment, readText, type OpenExperiment, type OpenOptions } from '../exec/run/open-experiment.ts';
import { calibrateLinks } from '../sim/calibrated-cluster.ts';
import type { DeviceProfile } from '../sim/device-profile.ts';
import type { PlanExperimentOptions } from '../sim/plan-experiment.ts';
import { readProfile } from '../sim/profile-file.ts';
import { badFiles, badInput, type Failure } from './failure.ts';

/** Of every command that predicts. */
export interface ProfileFlags {
  /** Profile file that replaces those of all devices. */
  readonly profile?: string;
}

/** Reads the profile a command was given; null for none. */
export const openProfile = ({ profile: path }: ProfileFlags): TE.TaskEither<Failure, DeviceProfile | null> =>
  path === undefined
    ? TE.right(null)
    : pipe(
        readText(path),
        TE.mapLeft(badFiles),
        TE.chainEitherK((text) => pipe(readProfile(text), E.mapLeft((problems) => badInput(path, problems)))),
      );

export interface ProfiledExperiment extends OpenExperiment {
  readonly options: PlanExperimentOptions;
}

/** An experiment with the devices and links of the profile, where there is one. */
export const openProfiled = (path: string, flags: ProfileFlags, options: OpenOptions = {}): TE.TaskEither<Failure, ProfiledExperiment> =>
  pipe(
    openProfile(flags),
    TE.chain((profile) =>
      pipe(
        openExperiment(path, options),
        TE.bimap(badFiles, (open) => ({
          ...open,
          experiment: { ...open.experiment, cluster: calibrateLinks(open.experiment.cluster, profile) },
          options: { files: open.files, ...profileOption(profile) },
        })),
      ),
    ),
  );

/** The profile for all devices, as planning takes it. */
export const profileOption = (profile: DeviceProfile | null): Pick<PlanExperimentOptions, 'profileOf'> =>
  profile === null ? {} : { profileOf: () => profile };
