import { once } from 'node:events';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pipe } from 'fp-ts/lib/function.js';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { problem } from '../../core/problem.ts';
import type { PolicyName } from '../../core/scheduler/policy.ts';
import type { BackendName } from '../../exec/backend/backend.ts';
import { startLiveRun } from '../../exec/live/start-live-run.ts';
import { checkModel } from '../../exec/run/check-model.ts';
import { identifyBase } from '../../exec/run/job-fingerprint.ts';
import { calibrateLinks } from '../../sim/calibrated-cluster.ts';
import type { DeviceProfile } from '../../sim/device-profile.ts';
import { liveSetupOf, type LiveSetup } from '../../serve/live-options.ts';
import { openSetup, type OpenSetup } from '../../serve/open-setup.ts';
import { formatServerError } from '../../serve/server-error.ts';
import { DEFAULT_LIMITS, type ServerOptions } from '../../serve/server-options.ts';
import { startServer, type Server } from '../../serve/start-server.ts';
import { TOKEN_VARIABLE } from '../../serve/token.ts';
import { badFiles, badInput, execution, type Failure } from '../failure.ts';
import { PACKAGE_VERSION } from '../package-version.ts';
import { openProfile, type ProfileFlags } from '../profile-option.ts';

export interface ServeFlags extends ProfileFlags {
  readonly state: string;
  readonly host: string;
  readonly port: number;
  /** Folder of files that jobs may name; the experiment file's own unless given. */
  readonly data?: string;
  readonly policy: PolicyName;
  readonly slots: number;
  readonly slowdown?: number;
  readonly backend: BackendName | 'auto';
  /** MiB. */
  readonly maxBody: number;
  readonly maxJobs: number;
  /** Requests a second from one address. */
  readonly rate: number;
}

const DASHBOARD = fileURLToPath(new URL('../../dashboard/', import.meta.url));

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** `mlora serve`: keeps the base model loaded and trains the jobs that come over HTTP, until it is stopped. */
export const serveCommand = (path: string, flags: ServeFlags): TE.TaskEither<Failure, void> =>
  pipe(
    TE.Do,
    TE.bind('profile', () => openProfile(flags)),
    TE.bind('setup', ({ profile }) => openServed(path, profile)),
    TE.bind('live', ({ setup, profile }) => openLive(path, setup, profile, flags)),
    TE.bind('baseIdentity', ({ live }) => identify(live)),
    TE.chain(({ setup, live, baseIdentity }) => serve({ ...serverOptions(path, flags, setup, live), baseIdentity }, setup)),
  );

const openServed = (path: string, profile: DeviceProfile | null): TE.TaskEither<Failure, OpenSetup> =>
  pipe(
    openSetup(path),
    TE.bimap(badFiles, (setup) => ({
      ...setup,
      experiment: { ...setup.experiment, cluster: calibrateLinks(setup.experiment.cluster, profile) },
    })),
  );

const openLive = (path: string, { experiment }: OpenSetup, profile: DeviceProfile | null, flags: ServeFlags): TE.TaskEither<Failure, LiveSetup> =>
  pipe(
    TE.fromEither(liveSetupOf(experiment, { ...flags, profile, maximumSlowdown: flags.slowdown ?? null })),
    TE.mapLeft((problems) => badInput(path, problems)),
    TE.chainFirst(({ model, modelFolder }) => pipe(checkModel(model, modelFolder), TE.mapLeft(execution))),
  );

const identify = ({ model, modelFolder }: LiveSetup): TE.TaskEither<Failure, string> =>
  pipe(
    () => identifyBase(model, modelFolder),
    TE.mapLeft((problems) => badInput(modelFolder, problems)),
  );

const serverOptions = (path: string, flags: ServeFlags, setup: OpenSetup, live: LiveSetup): Omit<ServerOptions, 'baseIdentity'> => {
  const token = process.env[TOKEN_VARIABLE];
  return {
    setup,
    live,
    startRun: startLiveRun,
    folder: flags.state,
    host: flags.host,
    port: flags.port,
    ...(token === undefined ? {} : { token }),
    dataFolder: flags.data ?? dirname(path),
    policyName: flags.policy,
    version: PACKAGE_VERSION,
    dashboard: DASHBOARD,
    limits: {
      ...DEFAULT_LIMITS,
      mostBodyBytes: flags.maxBody * 2 ** 20,
      mostJobs: flags.maxJobs,
      requestsPerSecond: flags.rate,
      submissionsPerSecond: Math.max(1, Math.ceil(flags.rate / 25)),
    },
    onNote: say,
  };
};

const LOOPBACK = /^(127\.|::1$|localhost$)/;

const greet = ({ url, token }: Server, { host }: ServerOptions, { jobsInFile }: OpenSetup): void => {
  process.stdout.write(`${url}/#token=${token}\n`);
  say('open this address in a browser for the dashboard; Ctrl-C stops the server at the next iteration ends');
  if (jobsInFile > 0) say(`the ${jobsInFile} jobs of the file are not taken by that: mlora submit does it`);
  if (!LOOPBACK.test(host)) say(`listens on ${host}: the token passes the network as it is, so put a proxy with TLS before it`);
};

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** The first signal ends in order, a second one at once: what is kept is the same as after a kill. */
const awaitSignal = async (): Promise<(typeof SIGNALS)[number]> => {
  const signal = await Promise.race(SIGNALS.map((each) => once(process, each).then(() => each)));
  for (const each of SIGNALS) process.once(each, () => process.exit(130));
  return signal;
};

const serve = (options: ServerOptions, setup: OpenSetup): TE.TaskEither<Failure, void> =>
  pipe(
    startServer(options),
    TE.mapLeft((error): Failure => error.kind === 'cannotStart' ? { kind: 'failed', message: formatServerError(error) } : badInput('mlora serve', [problem('', formatServerError(error))])),
    TE.chain((server) => async () => {
      greet(server, options, setup);
      const signalled = awaitSignal().then((signal) => ({ signal }));
      const ended = await Promise.race([signalled, server.failed.then((reason) => ({ reason }))]);
      if ('signal' in ended) say(`${ended.signal}: jobs leave at their next iteration ends; start again with the same command to go on`);
      await server.close();
      if ('reason' in ended) return E.left({ kind: 'failed', message: ended.reason });
      return ended.signal === 'SIGTERM' ? E.right(undefined) : E.left({ kind: 'interrupted', message: 'stopped' });
    }),
  );
