/** The lives of crews under one live run: a crew that is lost is followed by another one. */
import { ExecFailure, type ExecError } from '../exec-error.ts';
import type { Crew } from '../run/crew.ts';
import { awaitAll } from '../run/director.ts';
import { setUpRanks, type ReadyRanks } from '../run/set-up-ranks.ts';
import { startCrew } from '../run/start-crew.ts';
import { handle } from './carry-out.ts';
import { costOfStays } from './job-kinds.ts';
import { createLivePlan, type LivePlan } from './live-plan.ts';
import { tell, tellOf, type Live } from './live-state.ts';
import { createReportTaker, setBack } from './take-reports.ts';

/** Crews that may be lost one after the other without an iteration in between. */
const MOST_LOSSES = 3;

export const planFor = ({ options, kinds, kindOfStay, budgetBytes, workloads }: Pick<Live, 'options' | 'kinds' | 'kindOfStay' | 'budgetBytes' | 'workloads'>, firstMicrobatch: number): LivePlan =>
  createLivePlan({
    stages: options.stages,
    cost: costOfStays(kinds, (stay) => kindOfStay[stay]!),
    transferNs: options.costs.transferNs,
    budgetBytes,
    stays: workloads,
    firstMicrobatch,
  });

const begin = (live: Live, crew: Crew, ready: ReadyRanks): void => {
  const first = live.options.stages[0]!.device;
  for (let rank = 0; rank < crew.size; rank++) crew.send(rank, { kind: 'live', order: { zeroNs: live.zeroNs, reportsProgress: rank === first } });
  live.crew = crew;
  live.passesBegun = 0;
  live.iterationsMade = 0;
  live.wasReady = true;
  tell(live, { kind: 'ready', ...ready });
  handle(live, { kind: 'pipelineReady', pipeline: 0, budgetBytes: live.budgetBytes });
};

/** Runs the plan on one crew until the run is closed; rejects when the crew is lost. */
const runCrew = async (live: Live, onReady: () => void): Promise<void> => {
  const { model, modelFolder, backend, stages } = live.options;
  const crew = await startCrew(live.options.devices.length, live.options);
  live.started = crew;
  try {
    if (live.failure !== null) throw live.failure;
    const ready = await setUpRanks(crew, { model, modelFolder, backend, placements: stages, adapters: [] });
    begin(live, crew, ready);
    onReady();
    const ends = await awaitAll(crew, 'done', createReportTaker(live));
    for (const { spans, memory } of ends) live.trace.record(spans, memory);
  } finally {
    live.crew = null;
    live.started = null;
    await crew.dismiss();
  }
};

/** Jobs that were on the crew wait again, behind their checkpoints. */
const loseCrew = (live: Live, error: ExecError): void => {
  tell(live, { kind: 'rankLost', error });
  const running = [...live.stays.values()].map(({ entry }) => entry);
  const next = live.plan.nextMicrobatch();
  setBack(live);
  live.plan = planFor(live, next);
  handle(live, { kind: 'deviceLost', pipeline: 0 });
  for (const entry of running) {
    const job = live.scheduler.job(entry.live.id);
    if (job !== undefined) void tellOf(live, entry, { kind: 'setBack', job: entry.live.id, iteration: job.iteration });
  }
};

/** Settles when the run is closed; rejects with what it cannot go on from. */
export const conductLive = async (live: Live, onReady: () => void): Promise<void> => {
  let losses = 0;
  for (;;) {
    try {
      await runCrew(live, onReady);
      return;
    } catch (error) {
      if (live.failure !== null) throw live.failure;
      losses = live.iterationsMade > 0 ? 1 : losses + 1;
      live.iterationsMade = 0;
      if (!(error instanceof ExecFailure) || !live.wasReady || losses > MOST_LOSSES) throw error;
      if (live.phase === 'closing') return;
      loseCrew(live, error.error);
    }
  }
};
