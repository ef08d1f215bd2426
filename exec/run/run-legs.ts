import * as A from 'fp-ts/lib/Array.js';
import { ExecFailure, type ExecError } from '../exec-error.ts';
import type { AdapterState, NamedArray } from '../stage.ts';
import { createAdapterWriter, type AdapterWriter } from './adapter-writer.ts';
import { conduct, type Leg, type Outcome } from './conduct.ts';
import type { Crew } from './crew.ts';
import { createHaltSwitch, type HaltSwitch } from './halt-switch.ts';
import { onInterruption } from './interruption.ts';
import { createRecords, isFiniteState, nextIterations, NO_PROGRESS, withEvaluation, type JobRecord } from './job-records.ts';
import type { Output } from './output.ts';
import { startCrew } from './start-crew.ts';
import type { TrainOptions } from './train-options.ts';

/*
 * A run is one leg unless a job fails: then the leg is halted at an iteration end of every adapter, and the others go on
 * from there by a plan without it, on fresh ranks.
 */

/** A run with what it has noted of its jobs. */
export interface FinishedRun {
  readonly outcome: Outcome;
  readonly records: readonly JobRecord[];
}

interface Run {
  readonly options: TrainOptions;
  readonly records: readonly JobRecord[];
  readonly halt: HaltSwitch;
  readonly writer: AdapterWriter;
  /** Ranks of the present leg. */
  crew: Crew | null;
  /** What has ended the run from outside or in writing; the present leg, if any, is failed with it. */
  ended: Error | null;
  interruption: ExecError | null;
}

const failJob = (run: Run, adapter: number, iteration: number, loss: number): void => {
  const record = run.records[adapter]!;
  if (record.failure !== null) return;
  const { name } = run.options.jobs[adapter]!.job;
  record.failure = { kind: 'notANumber', adapter: name, iteration, loss };
  run.options.onProgress({ kind: 'failed', adapter: name, iteration, loss });
  run.halt.request();
};

const noteLoss = (run: Run, adapter: number, iteration: number, loss: number): void => {
  const record = run.records[adapter]!;
  if (record.failure !== null) return;
  if (!Number.isFinite(loss)) return failJob(run, adapter, iteration, loss);
  record.losses[iteration] = loss;
  run.options.onProgress({ kind: 'iteration', adapter: run.options.jobs[adapter]!.job.name, iteration, loss });
};

const noteEvaluation = (run: Run, adapter: number, iteration: number, loss: number): void => {
  const record = run.records[adapter]!;
  if (record.failure !== null) return;
  if (!Number.isFinite(loss)) return failJob(run, adapter, iteration, loss);
  record.evaluations = withEvaluation(record.evaluations, { iteration, loss });
  run.options.onProgress({ kind: 'evaluated', adapter: run.options.jobs[adapter]!.job.name, iteration, loss });
};

/** False for a state that is no numbers: that fails the job, whose last good checkpoint stays. */
const noteState = (run: Run, adapter: number, state: AdapterState): boolean => {
  const record = run.records[adapter]!;
  if (record.failure === null && !isFiniteState(state)) failJob(run, adapter, state.iteration - 1, NaN);
  if (record.failure !== null) return false;
  const losses = record.losses.slice(0, state.iteration);
  // The evaluation that belongs to the state itself is a part of the next iteration.
  const evaluations = record.evaluations.filter(({ iteration }) => iteration < state.iteration);
  record.progress = { ...record.progress, state, losses, evaluations };
  return true;
};

const noteTrained = (run: Run, adapter: number, weights: readonly NamedArray[]): void => {
  const { iterations } = run.options.jobs[adapter]!.order;
  if (!noteState(run, adapter, { iteration: iterations, tensors: weights })) return;
  run.writer.onTrained(adapter, weights);
  run.writer.onCheckpoint(adapter, run.records[adapter]!.progress);
};

const noteCheckpoint = (run: Run, adapter: number, state: AdapterState): void => {
  if (noteState(run, adapter, state)) run.writer.onCheckpoint(adapter, run.records[adapter]!.progress);
};

const conductLeg = async (run: Run, plan: Leg['plan']): Promise<Outcome> => {
  const { options, records, halt } = run;
  if (run.ended !== null) throw run.ended;
  const crew = await startCrew(plan.programs.length, options);
  run.crew = crew;
  try {
    return await conduct(crew, {
      options,
      plan,
      records,
      halt,
      onLoss: (adapter, iteration, loss) => noteLoss(run, adapter, iteration, loss),
      onEvaluation: (adapter, iteration, loss) => noteEvaluation(run, adapter, iteration, loss),
      onTrained: (adapter, weights) => noteTrained(run, adapter, weights),
      onCheckpoint: (adapter, state) => noteCheckpoint(run, adapter, state),
    });
  } finally {
    run.crew = null;
    await crew.dismiss();
  }
};

const conductLegs = async (run: Run): Promise<Outcome> => {
  const { options, records } = run;
  const totals = options.jobs.map(({ order }) => order.iterations);
  let plan = options.plan;
  for (;;) {
    const outcome = await conductLeg(run, plan);
    if (run.interruption !== null) throw new ExecFailure(run.interruption);
    const failures = records.flatMap(({ failure }) => failure ?? []);
    if (A.isNonEmpty(failures) && failures.length === records.length) throw new ExecFailure(failures[0]);
    if (!outcome.halted) return outcome;
    plan = options.planFrom(nextIterations(records, totals));
  }
};

const endRun = (run: Run, error: Error): void => {
  run.ended ??= error;
  run.crew?.fail(error);
};

/** The first signal ends training at the next iteration end of each job, a second one or one at another time at once. */
const interrupt = (run: Run, error: ExecError): void => {
  const again = run.interruption !== null;
  run.interruption = error;
  if (again || !run.halt.request()) endRun(run, new ExecFailure(error));
};

/** Trains all jobs; rejects with an ExecFailure. No rank is left, and nothing that was handed over is left unwritten. */
export const runLegs = async (options: TrainOptions, output: Output | null): Promise<FinishedRun> => {
  const records = createRecords(options.progress ?? options.jobs.map(() => NO_PROGRESS));
  const writer = createAdapterWriter(options, output, (error) => endRun(run, error));
  const run: Run = { options, records, halt: createHaltSwitch(), writer, crew: null, ended: null, interruption: null };
  const stopListening = onInterruption((error) => interrupt(run, error));
  try {
    const outcome = await conductLegs(run);
    await writer.finish();
    return { outcome, records };
  } finally {
    await Promise.allSettled([writer.finish()]);
    stopListening();
  }
};
