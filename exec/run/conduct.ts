import { randomInt } from 'node:crypto';
import type { Plan } from '../../core/plan/plan.ts';
import type { Trace } from '../../core/trace/trace.ts';
import type { BackendName } from '../backend/backend.ts';
import { heldoutRows } from '../data/row-source.ts';
import { localNs } from '../rank/clock.ts';
import type { FromRank, RankAdapter, RunMode } from '../rank/messages.ts';
import type { NamedArray } from '../stage.ts';
import type { Crew } from './crew.ts';
import { awaitAll } from './director.ts';
import { createLossBook } from './loss-book.ts';
import { mergeTraces } from './merge-traces.ts';
import { asRankAdapter } from './train-job.ts';
import type { HeldoutMoment, TrainOptions } from './train-options.ts';
import { createWeightCollector } from './weight-collector.ts';

/** A crew that is set up, with what it was told. */
interface Orchestra {
  readonly crew: Crew;
  readonly options: TrainOptions;
  readonly adapters: readonly RankAdapter[];
}

/** What training yields, by adapter. */
export interface Outcome {
  readonly backend: BackendName;
  readonly trace: Trace;
  readonly losses: readonly (readonly number[])[];
  readonly heldout: Readonly<Record<HeldoutMoment, readonly (number | undefined)[]>>;
}

/** Called once per adapter, as soon as all its weights are there. */
export type OnTrained = (adapter: number, weights: readonly NamedArray[]) => void;

/** Makes the ranks ready to run programs; returns the backend they opened. */
const setUp = async ({ crew, options, adapters }: Orchestra): Promise<BackendName> => {
  const hellos = await awaitAll(crew, 'hello');
  const endpoints = hellos.map(({ endpoint }) => endpoint);
  const { model, modelFolder, backend, plan } = options;
  const run = randomInt(2 ** 32);
  for (let rank = 0; rank < crew.size; rank++) {
    crew.send(rank, {
      kind: 'setup',
      setup: { rank, run, endpoints, model, modelFolder, backend, placements: plan.stages, adapters },
    });
  }
  const [first] = await awaitAll(crew, 'ready');
  options.onProgress({ kind: 'started', backend: first!.backend, processIds: hellos.map(({ processId }) => processId) });
  return first!.backend;
};

const startProgram = (crew: Crew, { microbatches, arrivalsNs, programs }: Plan, mode: RunMode): void => {
  const zeroNs = localNs();
  for (const [rank, program] of programs.entries()) {
    crew.send(rank, { kind: 'run', order: { mode, program, microbatches, arrivalsNs, zeroNs } });
  }
};

/** Mean held-out loss by adapter; undefined for those without held-out rows. */
const evaluate = async (orchestra: Orchestra, moment: HeldoutMoment): Promise<readonly (number | undefined)[]> => {
  const { crew, options, adapters } = orchestra;
  if (options.evaluation === null) return [];
  const microbatchesOf = ({ heldout }: RankAdapter): number =>
    heldout === null ? 0 : heldoutRows(heldout.table, heldout.batchSize).microbatches;
  const book = createLossBook({
    adapterCount: adapters.length,
    partsOf: (adapter) => microbatchesOf(adapters[adapter]!),
    onIteration: (adapter, _, loss) =>
      options.onProgress({ kind: 'heldout', adapter: adapters[adapter]!.setup.name, moment, loss }),
  });
  startProgram(crew, options.evaluation, 'evaluate');
  await awaitAll(crew, 'done', (message) => message.kind === 'losses' && message.reports.forEach(book.add));
  return adapters.map((_, adapter) => book.lossesOf(adapter)[0]);
};

const train = async ({ crew, options, adapters }: Orchestra, onTrained: OnTrained): Promise<Pick<Outcome, 'trace' | 'losses'>> => {
  const { plan, capacityBytes, onProgress } = options;
  const book = createLossBook({
    adapterCount: adapters.length,
    partsOf: (adapter) => adapters[adapter]!.order.microbatches,
    onIteration: (adapter, iteration, loss) =>
      onProgress({ kind: 'iteration', adapter: adapters[adapter]!.setup.name, iteration, loss }),
  });
  const collect = createWeightCollector(plan.stages.length, onTrained);
  const handle = (message: FromRank): void => {
    if (message.kind === 'losses') message.reports.forEach(book.add);
    else if (message.kind === 'weights') collect(message.adapter, message.stage, message.weights);
  };
  startProgram(crew, plan, 'train');
  const recordings = await awaitAll(crew, 'done', handle);
  return { trace: mergeTraces(plan, recordings, capacityBytes), losses: adapters.map((_, adapter) => book.lossesOf(adapter)) };
};

/** Leads a crew through the whole run: set-up, evaluation, training, evaluation. Rejects with an ExecFailure. */
export const conduct = async (crew: Crew, options: TrainOptions, onTrained: OnTrained): Promise<Outcome> => {
  const orchestra: Orchestra = { crew, options, adapters: options.jobs.map(asRankAdapter) };
  const backend = await setUp(orchestra);
  const before = await evaluate(orchestra, 'before');
  const trained = await train(orchestra, onTrained);
  const after = await evaluate(orchestra, 'after');
  return { ...trained, backend, heldout: { before, after } };
};
