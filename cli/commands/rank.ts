import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { problem } from '../../core/problem.ts';
import { readLaunch, type Launch } from '../../exec/launch/environment.ts';
import { followCoordinator } from '../../exec/launch/follow.ts';
import { badInput, type Failure } from '../failure.ts';
import { joinSettings, type LaunchFlags } from '../launch-flags.ts';

export type RankFlags = LaunchFlags;

const LEAVE_MS = 200;

type Together = Extract<Launch, { kind: 'together' }>;

/** Serves as a rank other than 0. */
export const follow = (launch: Together, flags: LaunchFlags): TE.TaskEither<Failure, void> =>
  pipe(
    () => followCoordinator(launch, joinSettings(flags)),
    TE.mapLeft((message): Failure => {
      leaveSoon();
      return { kind: 'failed', message };
    }),
  );

/** A rank keeps nothing on disk: neither its sockets nor an op that waits hold its process up. */
const leaveSoon = (): void => void setTimeout(() => process.exit(), LEAVE_MS).unref();

const wrong = (message: string): E.Either<Failure, Together> => E.left(badInput('environment', [problem('', message)]));

/** What the environment says of this process, which must be a rank other than 0. */
const readRank = (): E.Either<Failure, Together> => {
  const launch = launchOf(process.env);
  if (E.isLeft(launch)) return launch;
  if (launch.right.kind === 'alone') return wrong('says of no rank: expected RANK and WORLD_SIZE, or to be a task of srun');
  return launch.right.rank === 0 ? wrong('says that this is rank 0, which `mlora train` starts itself') : E.right(launch.right);
};

/** The launch, with everything wrong in the environment as bad input. */
export const launchOf = (env: NodeJS.ProcessEnv): E.Either<Failure, Launch> =>
  pipe(
    readLaunch(env),
    E.mapLeft(([first, ...rest]) => badInput('environment', [problem('', first), ...rest.map((message) => problem('', message))])),
  );

/** `mlora rank`: takes part in a run that `mlora train` coordinates as rank 0 elsewhere. */
export const rankCommand = (flags: RankFlags): TE.TaskEither<Failure, void> =>
  pipe(
    TE.fromEither(readRank()),
    TE.chain((launch) => follow(launch, flags)),
  );
