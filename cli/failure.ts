import type { Problems } from '../core/problem.ts';
import { formatPlanError, type PlanError } from '../core/planners/plan-error.ts';
import { formatExecError, formatFile, type ExecError, type FileProblems } from '../exec/exec-error.ts';

/** Why a command ends without its result. */
export type Failure =
  | { readonly kind: 'badInput'; readonly files: readonly FileProblems[] }
  | { readonly kind: 'doesNotFit'; readonly error: PlanError }
  | { readonly kind: 'outOfMemory'; readonly message: string }
  | { readonly kind: 'deadlock'; readonly message: string }
  | { readonly kind: 'interrupted'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'execution'; readonly error: ExecError };

export const badInput = (file: string, problems: Problems): Failure => ({ kind: 'badInput', files: [{ file, problems }] });

export const badFiles = (files: readonly FileProblems[]): Failure => ({ kind: 'badInput', files });

export const doesNotFit = (error: PlanError): Failure => ({ kind: 'doesNotFit', error });

export const execution = (error: ExecError): Failure =>
  error.kind === 'badInput' ? { kind: 'badInput', files: error.files } : { kind: 'execution', error };

/** 2 for bad input, 3 for "does not fit", 75 for a lost rank, 130 for Ctrl-C as shells have it, 1 for everything else. */
export const exitCodeOf = (failure: Failure): number => {
  switch (failure.kind) {
    case 'badInput':
      return 2;
    case 'doesNotFit':
    case 'outOfMemory':
      return 3;
    case 'deadlock':
    case 'failed':
      return 1;
    case 'interrupted':
      return 130;
    case 'execution':
      return EXECUTION_CODES[failure.error.kind] ?? 1;
  }
};

/** sysexits.h's EX_TEMPFAIL: the same command with --resume goes on. Job scripts tell it from failures that would only repeat. */
const RANK_LOST = 75;

const EXECUTION_CODES: Partial<Record<ExecError['kind'], number>> = {
  outputUnwritable: 2,
  backendUnavailable: 2,
  deviceTooSmall: 3,
  cannotListen: 2,
  rankDied: RANK_LOST,
  connectionLost: RANK_LOST,
  interrupted: 130,
};

export const formatFailure = (failure: Failure): string => {
  switch (failure.kind) {
    case 'badInput':
      return failure.files.map(formatFile).join('\n');
    case 'doesNotFit':
      return formatPlanError(failure.error);
    case 'outOfMemory':
    case 'deadlock':
    case 'interrupted':
    case 'failed':
      return failure.message;
    case 'execution':
      return formatExecError(failure.error);
  }
};
