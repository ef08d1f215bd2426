import type { Op } from '../../../core/plan/op.ts';
import { localNs } from '../clock.ts';
import type { Execution, Observer } from '../execution.ts';
import { NEVER_HALTED } from '../halt.ts';
import { createMemoryLedger } from '../memory-ledger.ts';
import type { FromRank, LiveOrder } from '../messages.ts';
import { createObserver, type RecordingObserver } from '../observer.ts';
import { packBatch } from '../packed-batches.ts';
import { runOps } from '../run-program.ts';
import { ownStages, type Session } from '../session.ts';
import { createHeldBytes, type HeldPart } from './held-bytes.ts';
import { createLiveProgram, type LiveProgram } from './live-program.ts';

/** Spans that are sent together. */
const SPANS_OF_A_REPORT = 64;

type Send = (message: FromRank) => void;

/** A live program as the rank of the order's device takes it in. */
export const openLiveProgram = ({ reportsProgress }: LiveOrder, send: Send): LiveProgram => {
  let passes = 0;
  return createLiveProgram(({ kind }) => {
    if (kind !== 'forward' && kind !== 'backward') return;
    passes += 1;
    if (reportsProgress) send({ kind: 'progress', passes });
  });
};

/** Steps that adapters have made on the rank's stages. */
interface StepCounts {
  readonly note: (stage: number, adapter: number, steps: number) => void;
  readonly of: (stage: number, adapter: number) => number;
  readonly forget: (adapter: number) => void;
}

const createStepCounts = (stages: readonly number[]): StepCounts => {
  const steps = new Map<string, number>();
  return {
    note: (stage, adapter, count) => void steps.set(`${stage}/${adapter}`, count),
    of: (stage, adapter) => steps.get(`${stage}/${adapter}`) ?? 0,
    forget: (adapter) => stages.forEach((stage) => steps.delete(`${stage}/${adapter}`)),
  };
};

interface LiveRecord {
  /** Size of an adapter's trained matrices on a stage. */
  readonly parameterBytes: (stage: number, adapter: number) => number;
  readonly program: LiveProgram;
  readonly observer: RecordingObserver;
  readonly steps: StepCounts;
  readonly stages: readonly number[];
  readonly report: () => void;
  readonly send: Send;
}

/** Reports steps with what their adapters held, and forgets what is through. */
const liveObserver = ({ parameterBytes, program, observer, steps, stages, report, send }: LiveRecord): Observer => {
  const trainedParts = (microbatch: number): readonly HeldPart[] => {
    const { forwardOnly, parts } = program.microbatchOf(microbatch);
    return forwardOnly ? [] : parts;
  };
  const held = createHeldBytes({ partsOf: trainedParts, gradientBytes: parameterBytes });
  const left = new Map<number, number>();
  let spans = 0;
  const noteStep = ({ stage, adapter, iteration }: Extract<Op, { readonly iteration: number }>): void => {
    steps.note(stage, adapter, iteration + 1);
    const { bytes: heldBytes, pieces } = held.takePeak(stage, adapter);
    send({ kind: 'stepped', stage, adapter, iteration, heldBytes, pieces });
    program.forgetBefore(adapter, iteration);
  };
  const noteRelease = (adapter: number): void => {
    const count = (left.get(adapter) ?? 0) + 1;
    left.set(adapter, count);
    if (count < stages.length) return;
    left.delete(adapter);
    steps.forget(adapter);
    program.forget(adapter);
  };
  return {
    ...observer,
    span: (op, startNs, endNs) => {
      observer.span(op, startNs, endNs);
      spans += 1;
    },
    computed: (op, endNs, bytes) => {
      observer.computed(op, endNs, bytes);
      held.computed(op, bytes);
      if (op.kind === 'step') noteStep(op);
      if (op.kind === 'release') noteRelease(op.adapter);
      if (op.kind !== 'release' && spans < SPANS_OF_A_REPORT) return;
      spans = 0;
      report();
    },
  };
};

const executionOf = (session: Session, { zeroNs }: LiveOrder, { program, steps }: LiveRecord, observer: Observer): Execution => {
  const { setup, engine, transport, offsetNs } = session;
  return {
    device: setup.rank,
    placements: setup.placements,
    stages: engine.stages,
    transport,
    batchOf: (microbatch) => packBatch(microbatch, program.microbatchOf(microbatch), program.rowsOf),
    startOf: (stage, adapter) => {
      const { setup: adapterSetup, start } = program.adapterOf(adapter);
      steps.note(stage, adapter, start?.iteration ?? 0);
      return start === null ? { setup: adapterSetup } : { setup: adapterSetup, initial: start.tensors, steps: start.iteration };
    },
    arrivalsNs: [],
    halt: NEVER_HALTED,
    isCheckpoint: (adapter, iteration) => {
      const { checkpointEvery, order } = program.adapterOf(adapter);
      return iteration % checkpointEvery === 0 && iteration < order.iterations;
    },
    savedAfter: steps.of,
    isEvaluated: (microbatch) => program.microbatchOf(microbatch).forwardOnly,
    clips: (adapter) => program.adapterOf(adapter).setup.optimizer.maxGradientNorm !== null,
    finish: engine.finish,
    now: () => Math.max(0, localNs() + offsetNs - zeroNs),
    read: engine.read,
    heldBytes: engine.heldBytes,
    observer,
  };
};

/** Runs a program while it is told, until it is finished and through; rejects when a stream fails or the program is failed. */
export const runLive = async (session: Session, program: LiveProgram, order: LiveOrder, send: Send): Promise<void> => {
  const { setup, engine } = session;
  const stages = ownStages(setup.placements, setup.rank);
  const parameterBytes = (stage: number, adapter: number): number => engine.parameterBytes(stage, program.adapterOf(adapter).setup.adapter);
  const ledger = createMemoryLedger(setup.rank, parameterBytes);
  const observer = createObserver({ device: setup.rank, microbatchOf: program.microbatchOf, ledger, send });
  const report = (): void => send({ kind: 'recorded', spans: observer.takeSpans(), memory: ledger.take() });
  const record: LiveRecord = { parameterBytes, program, observer, steps: createStepCounts(stages), stages, report, send };
  const execution = executionOf(session, order, record, liveObserver(record));
  ledger.hold('baseWeights', execution.now(), engine.baseBytes);
  try {
    await runOps(execution, program.source);
  } catch (error) {
    program.fail(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
  send({ kind: 'done', spans: observer.takeSpans(), memory: ledger.take() });
};
