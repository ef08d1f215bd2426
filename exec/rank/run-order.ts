import type { MicrobatchTable } from '../../core/plan/plan.ts';
import { localNs } from './clock.ts';
import type { Execution, Observer } from './execution.ts';
import { createMemoryLedger } from './memory-ledger.ts';
import type { FromRank, RunOrder } from './messages.ts';
import { createHalt } from './halt.ts';
import { createObserver } from './observer.ts';
import { microbatchesOf, packBatch } from './packed-batches.ts';
import { runProgram } from './run-program.ts';
import { ownStages, rowsOf, savedName, startOf, type Session } from './session.ts';

const keepingWeights = (observer: Observer, { saved }: Session): Observer => ({
  ...observer,
  saved: (stage, adapter, weights) => {
    saved.set(savedName(stage, adapter), weights);
    observer.saved(stage, adapter, weights);
  },
});

const executionOf = (session: Session, order: RunOrder, observer: Observer): Execution => {
  const { setup, engine, transport, offsetNs } = session;
  const { microbatches, arrivalsNs, zeroNs, checkpointEvery } = order;
  const sources = setup.adapters.map(rowsOf);
  const microbatchOf = microbatchesOf(microbatches);
  const ranges = setup.adapters.map(({ start, order: { iterations } }) => ({ first: start?.iteration ?? 0, end: iterations }));
  session.halt = createHalt(microbatches, ranges);
  return {
    device: setup.rank,
    placements: setup.placements,
    stages: engine.stages,
    transport,
    batchOf: (microbatch) => packBatch(microbatch, microbatchOf(microbatch), (adapter) => sources[adapter]),
    startOf: (stage, adapter) => startOf(session, stage, adapter),
    arrivalsNs,
    halt: session.halt,
    isCheckpoint: (adapter, iteration) =>
      checkpointEvery > 0 && iteration % checkpointEvery === 0 && iteration < ranges[adapter]!.end,
    savedAfter: () => null,
    isEvaluated: (microbatch) => microbatches.forwardOnly[microbatch] === 1,
    clips: (adapter) => setup.adapters[adapter]!.setup.optimizer.maxGradientNorm !== null,
    now: () => Math.max(0, localNs() + offsetNs - zeroNs),
    read: engine.read,
    heldBytes: engine.heldBytes,
    finish: engine.finish,
    observer,
  };
};

/** Programs of evaluation hold forwards and transfers only, so the adapters are put in place around them. */
const withAdapters = async (session: Session, { partAdapter }: MicrobatchTable, run: () => Promise<void>): Promise<void> => {
  const { setup, engine } = session;
  const adapters = [...new Set(partAdapter)];
  const stages = ownStages(setup.placements, setup.rank);
  const placed = stages.flatMap((stage) => adapters.map((adapter) => ({ stage, adapter, ...startOf(session, stage, adapter) })));
  for (const { stage, setup: adapterSetup, initial } of placed) engine.stages.get(stage)!.load(adapterSetup, initial);
  await run();
  for (const { stage, adapter } of placed) engine.stages.get(stage)!.release(adapter);
};

/** Runs one program to its end and reports what it recorded. */
export const runOrder = async (session: Session, order: RunOrder, send: (message: FromRank) => void): Promise<void> => {
  const { setup, engine } = session;
  const ledger = createMemoryLedger(setup.rank, (stage, adapter) => engine.parameterBytes(stage, setup.adapters[adapter]!.setup.adapter));
  const observer = createObserver({ device: setup.rank, microbatchOf: microbatchesOf(order.microbatches), ledger, send });
  ledger.hold('baseWeights', 0, engine.baseBytes);
  const run = (): Promise<void> => runProgram(executionOf(session, order, keepingWeights(observer, session)), order.program);
  await (order.mode === 'evaluate' ? withAdapters(session, order.microbatches, run) : run());
  send({ kind: 'done', spans: observer.takeSpans(), memory: ledger.take() });
};
