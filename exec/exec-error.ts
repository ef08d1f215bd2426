import type { NonEmptyArray } from 'fp-ts/lib/NonEmptyArray.js';
import { assertNever } from '../core/never.ts';
import { formatBytes } from '../core/units.ts';
import { formatProblems, type Problems } from '../core/problem.ts';

/** Everything wrong in one file, or in one named part of the experiment. */
export interface FileProblems {
  readonly file: string;
  readonly problems: Problems;
}

/** A device on which some ranks need more memory than it has free. */
export interface DeviceShortage {
  readonly device: string;
  readonly ranks: readonly number[];
  readonly neededBytes: number;
  readonly freeBytes: number;
}

/** Why a run ended without a result. Plain data: it travels between processes. */
export type ExecError =
  | { readonly kind: 'badInput'; readonly files: readonly FileProblems[] }
  | { readonly kind: 'outputUnwritable'; readonly folder: string; readonly reason: string }
  | { readonly kind: 'backendUnavailable'; readonly backend: string; readonly reasons: NonEmptyArray<string> }
  /** Devices hold less than the plan needs on them; found before training starts. */
  | { readonly kind: 'deviceTooSmall'; readonly shortages: NonEmptyArray<DeviceShortage> }
  /** A loss that is not a number: the adapter's training has diverged or its weights are broken. */
  | { readonly kind: 'notANumber'; readonly adapter: string; readonly iteration: number; readonly loss: number }
  /** A rank's process ended although nobody told it to. */
  | { readonly kind: 'rankDied'; readonly rank: number; readonly cause: string; readonly lastWords: string }
  /** A rank reports an error of its own. */
  | { readonly kind: 'rankFailed'; readonly rank: number; readonly reason: string }
  /** A rank still runs, but the line over which it exchanges tensors is cut; `peer` is the rank at its other end, where that is known. */
  | { readonly kind: 'connectionLost'; readonly rank: number; readonly peer: number | null }
  /** Results could not be written any more in the middle of a run, e.g. because the disk is full. */
  | { readonly kind: 'writeFailed'; readonly folder: string; readonly reason: string }
  | { readonly kind: 'interrupted'; readonly by: string }
  /** Processes that were to be ranks of the run have not said a word. */
  | { readonly kind: 'ranksMissing'; readonly missing: readonly number[]; readonly size: number; readonly seconds: number; readonly address: string }
  /** A rank runs other code than the coordinator; versions in words. */
  | { readonly kind: 'otherVersion'; readonly rank: number; readonly host: string; readonly theirs: string; readonly ours: string }
  /** The address at which ranks were to meet is in use, or is no address of this machine. */
  | { readonly kind: 'cannotListen'; readonly address: string; readonly reason: string };

const MAX_PROBLEMS = 20;

/** The problems of one file, a line each; a long list is cut. */
export const formatFile = ({ file, problems: [first, ...rest] }: FileProblems): string => {
  const shown = formatProblems(file, [first, ...rest.slice(0, MAX_PROBLEMS - 1)]);
  const hidden = rest.length + 1 - MAX_PROBLEMS;
  return hidden > 0 ? `${shown}\n${file}: and ${hidden} more` : shown;
};

const STOPPED = 'All ranks were stopped; adapters that were finished are kept. Run the same command with --resume to go on from the last checkpoints.';

const formatWords = (lastWords: string): string => (lastWords.trim() === '' ? '' : `\nIts last words:\n${lastWords.trim()}`);

const ranksText = (ranks: readonly number[]): string => `${ranks.length === 1 ? 'rank' : 'ranks'} ${ranks.join(', ')}`;

const formatShortage = ({ device, ranks, neededBytes, freeBytes }: DeviceShortage): string =>
  `${device}: ${ranksText(ranks)} will need ${formatBytes(neededBytes)} and ${formatBytes(freeBytes)} are free`;

/** The error for people: what happened and what to do about it. */
export const formatExecError = (error: ExecError): string => {
  switch (error.kind) {
    case 'badInput':
      return error.files.map(formatFile).join('\n');
    case 'outputUnwritable':
      return `the output folder ${error.folder} cannot be written: ${error.reason}; choose another one with --out`;
    case 'backendUnavailable':
      return `no tensor backend for "${error.backend}":\n${error.reasons.map((reason) => `  ${reason}`).join('\n')}`;
    case 'deviceTooSmall':
      return `${error.shortages.map(formatShortage).join('\n')}\nNothing was trained; use more devices, smaller batches or \`recompute: full\`.`;
    case 'notANumber':
      return (
        `adapter ${error.adapter}: the loss of iteration ${error.iteration + 1} is ${error.loss}; ` +
        'a smaller learning rate usually helps'
      );
    case 'rankDied':
      return `rank ${error.rank} died: ${error.cause}. ${STOPPED}${formatWords(error.lastWords)}`;
    case 'rankFailed':
      return `rank ${error.rank} failed. ${STOPPED}\n${error.reason}`;
    case 'connectionLost':
      return `rank ${error.rank} has lost its connection to ${error.peer === null ? 'another rank' : `rank ${error.peer}`}. ${STOPPED}`;
    case 'writeFailed':
      return `${error.folder} cannot be written any more: ${error.reason}. ${STOPPED}`;
    case 'interrupted':
      return `interrupted by ${error.by}. ${STOPPED}`;
    case 'ranksMissing':
      return (
        `${ranksText(error.missing)} of ${error.size} did not join within ${error.seconds} s. They are expected at ${error.address}: ` +
        'were they started, do they see that address, and do they hold the key of this run? --join-timeout gives them longer'
      );
    case 'otherVersion':
      return `rank ${error.rank} on ${error.host} runs mlora ${error.theirs}, its coordinator ${error.ours}: all machines need the same one`;
    case 'cannotListen':
      return `ranks cannot meet at ${error.address}: ${error.reason}`;
    default:
      return assertNever(error);
  }
};

/** Carries an ExecError through promises, up to the public function that returns it. */
export class ExecFailure extends Error {
  readonly error: ExecError;

  constructor(error: ExecError) {
    super(formatExecError(error));
    this.error = error;
  }
}
