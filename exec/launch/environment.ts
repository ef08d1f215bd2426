import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import type { NonEmptyArray } from 'fp-ts/lib/NonEmptyArray.js';
import { KEY_VARIABLE, parseRunKey, type RunKey } from '../transport/run-key.ts';

/*
 * What a launcher says to each process that it has started, in environment variables: torchrun's convention, which
 * Kubernetes' training operators follow too, and Slurm's.
 */

/** How the processes of a run find each other. */
export type MeetingPlace =
  /** A file of this name, unique to the run, in a folder that all machines share. */
  | { readonly kind: 'file'; readonly name: string }
  | { readonly kind: 'address'; readonly host: string; readonly port: number; readonly key: RunKey };

export type Launch =
  /** Nobody has started other processes: this one starts its ranks itself. */
  | { readonly kind: 'alone'; readonly isRestart: boolean }
  | {
      readonly kind: 'together';
      readonly rank: number;
      readonly size: number;
      readonly meeting: MeetingPlace;
      /** The scheduler has started the run again: it goes on from its checkpoints. */
      readonly isRestart: boolean;
    };

type Environment = Readonly<Record<string, string | undefined>>;
type Read = E.Either<NonEmptyArray<string>, Launch>;

/** A whole number from a variable, or null with a note of what is wrong. */
const numberOf = (env: Environment, name: string, least: number, problems: string[]): number => {
  const text = env[name];
  const value = Number(text);
  if (text === undefined) problems.push(`${name} is not set`);
  else if (!/^\d+$/.test(text) || value < least) problems.push(`${name} is ${JSON.stringify(text)}; expected a whole number from ${least} on`);
  return value;
};

const checked = (launch: Extract<Launch, { kind: 'together' }>, problems: string[]): Read => {
  if (launch.rank >= launch.size) problems.push(`rank ${launch.rank} is none of ${launch.size} ranks`);
  return isNonEmpty(problems) ? E.left(problems) : E.right(launch);
};

/** torchrun keeps a store of its own at MASTER_PORT, as it says here; the coordinator then listens at the port after it. */
const portShift = (env: Environment): number => (env.TORCHELASTIC_USE_AGENT_STORE === 'True' ? 1 : 0);

const keyOf = (env: Environment, problems: string[]): RunKey | null => {
  const secret = env[KEY_VARIABLE];
  const key = secret === undefined || secret === '' ? E.left(`${KEY_VARIABLE} is not set: give all ranks the same secret, as \`openssl rand -hex 32\` prints it`) : parseRunKey(secret);
  if (E.isRight(key)) return key.right;
  problems.push(key.left);
  return null;
};

/** MASTER_ADDR and MASTER_PORT with the run's key. */
const addressOf = (env: Environment, problems: string[]): MeetingPlace => {
  const host = env.MASTER_ADDR ?? '';
  if (host === '') problems.push('MASTER_ADDR is not set');
  const port = numberOf(env, 'MASTER_PORT', 1, problems) + portShift(env);
  if (port > 65_535) problems.push(`the coordinator's port would be ${port}; ports end at 65535`);
  return { kind: 'address', host, port, key: keyOf(env, problems)! };
};

const readTorchrun = (env: Environment): Read => {
  const problems: string[] = [];
  const rank = numberOf(env, 'RANK', 0, problems);
  const size = numberOf(env, 'WORLD_SIZE', 1, problems);
  const meeting = addressOf(env, problems);
  return checked({ kind: 'together', rank, size, meeting, isRestart: Number(env.TORCHELASTIC_RESTART_COUNT ?? 0) > 0 }, problems);
};

/** The first machine of a node list such as `gpu[03-07,12],login1`; task 0 runs there. */
export const firstNode = (nodeList: string): string =>
  nodeList.replace(/^([^[,]*)\[(\d+)[^\]]*\]/, '$1$2').replace(/,.*$/, '');

/** With a key and MASTER_PORT, ranks meet at the first node; else by a file in the output folder, named after step and restart. */
const slurmMeeting = (env: Environment, problems: string[]): MeetingPlace => {
  const nodes = env.SLURM_STEP_NODELIST ?? env.SLURM_NODELIST ?? env.SLURM_JOB_NODELIST ?? '';
  if (env[KEY_VARIABLE] !== undefined && env.MASTER_PORT !== undefined) {
    return addressOf({ ...env, MASTER_ADDR: env.MASTER_ADDR ?? firstNode(nodes) }, problems);
  }
  const parts = [env.SLURM_JOB_ID, env.SLURM_STEP_ID, env.SLURM_RESTART_COUNT ?? '0'];
  return { kind: 'file', name: `slurm-${parts.join('.')}` };
};

const readSlurm = (env: Environment): Read => {
  const problems: string[] = [];
  const rank = numberOf(env, 'SLURM_PROCID', 0, problems);
  const size = numberOf(env, env.SLURM_STEP_NUM_TASKS === undefined ? 'SLURM_NTASKS' : 'SLURM_STEP_NUM_TASKS', 1, problems);
  const meeting = slurmMeeting(env, problems);
  return checked({ kind: 'together', rank, size, meeting, isRestart: isSlurmRestart(env) }, problems);
};

const isSlurmRestart = (env: Environment): boolean => Number(env.SLURM_RESTART_COUNT ?? 0) > 0;

const tasksOfStep = (env: Environment): string | undefined => env.SLURM_STEP_NUM_TASKS ?? env.SLURM_NTASKS;

/**
 * What the environment says about other processes of the run. `alone` where there are none, in particular in a batch script,
 * which is no step of its job. Left: everything that is missing or wrong.
 */
export const readLaunch = (env: Environment): Read => {
  if (env.RANK !== undefined && env.WORLD_SIZE !== undefined && env.WORLD_SIZE !== '1') return readTorchrun(env);
  const isStep = env.SLURM_PROCID !== undefined && /^\d+$/.test(env.SLURM_STEP_ID ?? '');
  return isStep && tasksOfStep(env) !== '1' ? readSlurm(env) : E.right({ kind: 'alone', isRestart: isSlurmRestart(env) });
};
