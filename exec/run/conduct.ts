import type { Plan } from '../../core/plan/plan.ts';
import type { Trace } from '../../core/trace/trace.ts';
import type { BackendName } from '../backend/backend.ts';
import type { DeviceInfo } from '../backend/device.ts';
import { heldoutRows } from '../data/row-source.ts';
import { ExecFailure } from '../exec-error.ts';
import { localNs } from '../rank/clock.ts';
import type { FromRank, RankAdapter, RunMode } from '../rank/messages.ts';
import type { AdapterState, NamedArray } from '../stage.ts';
import type { Crew } from './crew.ts';
import { describeDevices } from './devices.ts';
import { awaitAll } from './director.ts';
import type { HaltSwitch } from './halt-switch.ts';
import { createLossBook } from './loss-book.ts';
import type { JobRecord } from './job-records.ts';
import { mergeTraces } from './merge-traces.ts';
import { setUpRanks } from './set-up-ranks.ts';
import { createStateCollector } from './state-collector.ts';
import { asRankAdapter } from './train-job.ts';
import type { HeldoutMoment, TrainOptions } from './train-options.ts';
import { createWeightCollector } from './weight-collector.ts';

/** One plan on one crew. A run has more of them when a job fails: the others go on by a plan without it. */
export interface Leg {
  readonly options: TrainOptions;
  readonly plan: Plan;
  /** By job; conducting a leg notes losses in them. */
  readonly records: readonly JobRecord[];
  readonly halt: HaltSwitch;
  /** Called once per adapter, as soon as all its trained weights are there. */
  readonly onTrained: (adapter: number, weights: readonly NamedArray[]) => void;
  /** Called for every checkpoint, as soon as all stages have handed their part out. */
  readonly onCheckpoint: (adapter: number, state: AdapterState) => void;
  /** Called for every complete iteration. */
  readonly onLoss: (adapter: number, iteration: number, loss: number) => void;
  /** Called for every complete evaluation during training, with the number of iterations the adapter had made. */
  readonly onEvaluation: (adapter: number, iteration: number, loss: number) => void;
}

/** What a leg yields beside what it has told. */
export interface Outcome {
  readonly backend: BackendName;
  /** What each rank computes on. */
  readonly devices: readonly DeviceInfo[];
  readonly trace: Trace;
  /** The plan was ended early, at an iteration end of every adapter. */
  readonly halted: boolean;
}

/** A crew that is set up, with what it was told. */
interface Orchestra {
  readonly crew: Crew;
  readonly leg: Leg;
  readonly adapters: readonly RankAdapter[];
}

/** Makes the ranks ready to run programs; returns what they opened. */
const setUp = async ({ crew, leg, adapters }: Orchestra): Promise<Pick<Outcome, 'backend' | 'devices'>> => {
  const { model, modelFolder, backend, onProgress, devices, neededBytes } = leg.options;
  const ready = await setUpRanks(crew, { model, modelFolder, backend, placements: leg.plan.stages, adapters }, { devices, neededBytes });
  onProgress({ kind: 'started', ...ready });
  return ready;
};

const startProgram = (crew: Crew, plan: Plan, mode: RunMode, checkpointEvery = 0): void => {
  const { microbatches, arrivalsNs, programs } = plan;
  const zeroNs = localNs();
  for (const [rank, program] of programs.entries()) {
    crew.send(rank, { kind: 'run', order: { mode, program, microbatches, arrivalsNs, zeroNs, checkpointEvery } });
  }
};

const heldoutMicrobatches = ({ heldout }: RankAdapter): number =>
  heldout === null ? 0 : heldoutRows(heldout.table, heldout.batchSize).microbatches;

/** Measures the mean held-out loss of every adapter that has held-out rows, and tells those that `wanted` asks for. */
const evaluate = async (
  { crew, leg, adapters }: Orchestra,
  moment: HeldoutMoment,
  wanted: (record: JobRecord) => boolean,
  note: (record: JobRecord, loss: number) => void,
): Promise<void> => {
  const { options, records } = leg;
  if (options.evaluation === null || !records.some(wanted)) return;
  const book = createLossBook({
    partsOf: (adapter) => heldoutMicrobatches(adapters[adapter]!),
    onIteration: (adapter, iteration, loss) => {
      const record = records[adapter]!;
      if (!wanted(record)) return;
      const { name } = adapters[adapter]!.setup;
      if (!Number.isFinite(loss)) throw new ExecFailure({ kind: 'notANumber', adapter: name, iteration, loss });
      note(record, loss);
      options.onProgress({ kind: 'heldout', adapter: name, moment, loss });
    },
  });
  startProgram(crew, options.evaluation, 'evaluate');
  await awaitAll(crew, 'done', (message) => message.kind === 'losses' && message.reports.forEach(book.add));
};

const evaluateBefore = (orchestra: Orchestra): Promise<void> =>
  evaluate(
    orchestra,
    'before',
    ({ progress, failure }) => progress.state === null && progress.heldoutBefore === null && failure === null,
    (record, loss) => (record.progress = { ...record.progress, heldoutBefore: loss }),
  );

const evaluateAfter = (orchestra: Orchestra): Promise<void> =>
  evaluate(
    orchestra,
    'after',
    ({ failure }) => failure === null,
    (record, loss) => (record.heldoutAfter = loss),
  );

/** What to do with the ranks' messages while they train. */
const createListener = ({ crew, leg, adapters }: Orchestra, onHalted: () => void): ((message: FromRank) => void) => {
  const stageCount = leg.plan.stages.length;
  const book = createLossBook({
    partsOf: (adapter) => adapters[adapter]!.order.microbatches,
    onIteration: leg.onLoss,
  });
  const evaluations = createLossBook({
    partsOf: (adapter) => heldoutMicrobatches(adapters[adapter]!),
    onIteration: leg.onEvaluation,
  });
  const collectWeights = createWeightCollector(stageCount, leg.onTrained);
  const collectState = createStateCollector(stageCount, leg.onCheckpoint);
  const firstRank = leg.plan.stages[0]!.device;
  return (message) => {
    if (message.kind === 'losses') message.reports.forEach((report) => (report.evaluated ? evaluations : book).add(report));
    else if (message.kind === 'weights') collectWeights(message.adapter, message.stage, message.weights);
    else if (message.kind === 'checkpoint') collectState(message.adapter, message.stage, message.state);
    else if (message.kind === 'limits') {
      onHalted();
      for (let rank = 0; rank < crew.size; rank++) if (rank !== firstRank) crew.send(rank, message);
    }
  };
};

const train = async (orchestra: Orchestra, devices: readonly DeviceInfo[]): Promise<Pick<Outcome, 'trace' | 'halted'>> => {
  const { crew, leg } = orchestra;
  const { plan, options, halt } = leg;
  let halted = false;
  const listen = createListener(orchestra, () => (halted = true));
  startProgram(crew, plan, 'train', options.checkpoints?.every);
  halt.connect(() => crew.send(plan.stages[0]!.device, { kind: 'halt' }));
  try {
    const recordings = await awaitAll(crew, 'done', listen);
    return { trace: mergeTraces(plan, recordings, describeDevices(options.capacityBytes, devices)), halted };
  } finally {
    halt.connect(null);
  }
};

/** Leads a crew through a leg: set-up, evaluation, training and, at the end of all training, evaluation. Rejects with an ExecFailure. */
export const conduct = async (crew: Crew, leg: Leg): Promise<Outcome> => {
  const adapters = leg.options.jobs.map((job, index) => asRankAdapter(job, index, leg.records[index]!.progress.state));
  const orchestra: Orchestra = { crew, leg, adapters };
  const opened = await setUp(orchestra);
  await evaluateBefore(orchestra);
  const trained = await train(orchestra, opened.devices);
  if (!trained.halted) await evaluateAfter(orchestra);
  return { ...trained, ...opened };
};
