import { hostname } from 'node:os';
import * as E from 'fp-ts/lib/Either.js';
import { ExecFailure, type ExecError } from '../exec-error.ts';
import type { Transport } from '../transport/transport.ts';
import { ownVersion } from '../version.ts';
import { createClockSync, type ClockSync } from './clock-sync.ts';
import type { Engine } from './engine.ts';
import type { ControlPort, FromRank, RankSetup, ToRank } from './messages.ts';
import type { LiveProgram } from './live/live-program.ts';
import { openLiveProgram, runLive } from './live/run-live.ts';
import { runOrder } from './run-order.ts';
import type { Session } from './session.ts';

/** What a rank stands on: its address for tensors and the way to its stages. */
export interface RankHost {
  readonly endpoint: string;
  readonly join: (setup: RankSetup) => Transport;
  readonly openEngine: (setup: RankSetup) => Promise<E.Either<ExecError, Engine>>;
}

/** Tasks one after the other, beside the messages that go on arriving. */
interface Work {
  readonly add: (task: () => Promise<void>) => void;
  /** Settles when nothing is left to do. */
  readonly done: () => Promise<void>;
}

type LiveMessage = Extract<ToRank, { readonly kind: 'live' | 'adapter' | 'extend' | 'finish' }>;

/** What a rank has opened so far. */
interface Opened {
  rank?: number;
  transport?: Transport;
  session?: Session;
  live?: LiveProgram;
}

const asExecError = (error: unknown, rank: number): ExecError => {
  if (error instanceof ExecFailure) return error.error;
  return { kind: 'rankFailed', rank, reason: error instanceof Error ? (error.stack ?? error.message) : String(error) };
};

/** The first failure is reported and keeps later tasks from running. */
const createWork = (report: (error: unknown) => void): Work => {
  let last = Promise.resolve();
  let failed = false;
  return {
    add: (task) => {
      last = last
        .then(() => (failed ? undefined : task()))
        .catch((error: unknown) => {
          failed = true;
          report(error);
        });
    },
    done: () => last,
  };
};

const setUp = async (opened: Opened, setup: RankSetup, host: RankHost, clock: ClockSync): Promise<Session> => {
  opened.rank = setup.rank;
  opened.transport = host.join(setup);
  const engine = await host.openEngine(setup);
  if (E.isLeft(engine)) throw new ExecFailure(engine.left);
  const offsetNs = await clock.measureOffset();
  opened.session = { setup, engine: engine.right, transport: opened.transport, offsetNs, saved: new Map(), halt: null };
  return opened.session;
};

const sessionOf = ({ session }: Opened): Session => {
  if (session === undefined) throw new Error('told to run before it was set up');
  return session;
};

/** Cuts off what still waits for other ranks, then frees the stages. */
const shutDown = async ({ transport, session, live }: Opened, clock: ClockSync, work: Work): Promise<void> => {
  transport?.close();
  live?.fail(new Error('stopped'));
  clock.cancel();
  await work.done();
  session?.engine.dispose();
};

/** A live program is there as soon as it is told of, so that nothing which follows is early. */
const growProgram = (opened: Opened, message: LiveMessage, work: Work, send: (message: FromRank) => void): void => {
  switch (message.kind) {
    case 'live': {
      const { order } = message;
      const live = (opened.live = openLiveProgram(order, send));
      return work.add(() => runLive(sessionOf(opened), live, order, send));
    }
    case 'adapter':
      return opened.live?.add(message.adapter);
    case 'extend':
      return opened.live?.extend(message.piece);
    case 'finish':
      return opened.live?.finish();
  }
};

/**
 * One conversation with the coordinator, until `stop` or `leave`, which it returns. What goes wrong is reported, and the rank
 * then waits to be stopped. Rejects when the line to the coordinator is lost, or when it refuses this rank.
 */
export const serveRank = async (port: ControlPort, host: RankHost): Promise<'stop' | 'leave'> => {
  const opened: Opened = {};
  const send = (message: FromRank): void => port.send(message);
  const clock = createClockSync(() => send({ kind: 'ping' }));
  const work = createWork((error) => send({ kind: 'failed', error: asExecError(error, opened.rank ?? -1) }));
  send({ kind: 'hello', endpoint: host.endpoint, processId: process.pid, host: hostname(), version: ownVersion() });
  for (;;) {
    const message = await port.next();
    switch (message.kind) {
      case 'setup':
        work.add(async () => {
          const { engine } = await setUp(opened, message.setup, host, clock);
          const { backend, device, rejected } = engine;
          send({ kind: 'ready', backend, device, rejected });
        });
        break;
      case 'run':
        work.add(() => runOrder(sessionOf(opened), message.order, send));
        break;
      case 'pong':
        clock.answer(message.theirsNs);
        break;
      case 'halt':
        send({ kind: 'limits', iterations: opened.session?.halt?.decide() ?? [] });
        break;
      case 'limits':
        opened.session?.halt?.limit(message.iterations);
        break;
      case 'stop':
      case 'leave':
        await shutDown(opened, clock, work);
        return message.kind;
      case 'refused':
        await shutDown(opened, clock, work);
        throw new Error(message.reason);
      default:
        growProgram(opened, message, work, send);
    }
  }
};
