import { assertNever } from '../../core/never.ts';
import { STREAM, type MicrobatchOpKind, type Op, type Stream } from '../../core/plan/op.ts';
import { opAt } from '../../core/plan/plan.ts';
import { formatOp } from '../../core/plan/text.ts';
import { formatDuration } from '../../core/units.ts';
import { cellOf, programOf, PROGRESS, streamId, type Engine } from './engine.ts';

/** A stream that cannot go on. */
export interface StuckStream {
  readonly device: string;
  readonly stream: Stream;
  /** Position of the op in the device's program. */
  readonly position: number;
  /** Text form of the stream's next op, and of the ops it waits for. */
  readonly op: string;
  readonly waitsFor: readonly string[];
}

/** The run stopped before its programs ended: every stream that still has ops waits for another. */
export interface Deadlock {
  readonly kind: 'deadlock';
  readonly timeNs: number;
  readonly stuck: readonly StuckStream[];
}

const PROGRAM_STREAMS = ['compute', 'send', 'receive'] as const satisfies readonly Stream[];

/** Every stream with ops left, and what it waits for; empty when all programs ended. */
export const findStuckStreams = (engine: Engine): StuckStream[] =>
  engine.plan.devices.flatMap((name, device) =>
    PROGRAM_STREAMS.flatMap((stream) => {
      const program = programOf(engine, device);
      const position = engine.position[streamId(device, STREAM[stream])]!;
      if (position === program.length) return [];
      const op = opAt(program, position);
      return [{ device: name, stream, position, op: formatOp(op), waitsFor: waitsOf(engine, op).map(formatOp) }];
    }),
  );

/** One line per stuck stream. */
export const formatDeadlock = ({ timeNs, stuck }: Deadlock): string =>
  [
    `deadlock after ${formatDuration(timeNs)}:`,
    ...stuck.map(
      ({ device, stream, op, position, waitsFor }) =>
        `  ${device} ${stream}: ${op} (position ${position}) waits for ${waitsFor.join(' and ')}`,
    ),
  ].join('\n');

/** Ops that must happen first and have not. */
const waitsOf = (engine: Engine, op: Op): Op[] =>
  prerequisites(engine, op)
    .filter(({ stage, microbatch, bit }) => (engine.progress[cellOf(engine, stage, microbatch)]! & bit) === 0)
    .map((prerequisite) => prerequisite.op);

/** An op, and the progress bit of a stage's part of a microbatch that tells whether it has happened. */
interface Prerequisite {
  readonly op: Op;
  readonly stage: number;
  readonly microbatch: number;
  readonly bit: number;
}

const prerequisites = (engine: Engine, op: Op): Prerequisite[] => {
  if (!('microbatch' in op)) return [];
  const { stage, microbatch } = op;
  const needs = (kind: MicrobatchOpKind, of: number, bit: number, tracked = of): Prerequisite => ({
    op: { kind, stage: of, microbatch },
    stage: tracked,
    microbatch,
    bit,
  });
  const isLocal = (neighbour: number): boolean => engine.deviceOfStage[neighbour] === engine.deviceOfStage[stage];
  const own = needs('forward', stage, PROGRESS.forwardDone);
  switch (op.kind) {
    case 'forward':
      if (stage === 0) return [];
      return isLocal(stage - 1)
        ? [needs('forward', stage - 1, PROGRESS.forwardDone)]
        : [needs('receiveForward', stage, PROGRESS.inputArrived)];
    case 'backward':
      if (stage === engine.deviceOfStage.length - 1) return [own];
      return isLocal(stage + 1)
        ? [own, needs('backward', stage + 1, PROGRESS.backwardDone)]
        : [own, needs('receiveBackward', stage, PROGRESS.gradientArrived)];
    case 'sendForward':
      return [own, needs('receiveForward', stage + 1, PROGRESS.inputReceivePosted)];
    case 'sendBackward':
      return [
        needs('backward', stage, PROGRESS.backwardDone),
        needs('receiveBackward', stage - 1, PROGRESS.gradientReceivePosted),
      ];
    case 'receiveForward':
      return [needs('sendForward', stage - 1, PROGRESS.inputSendPosted, stage)];
    case 'receiveBackward':
      return [needs('sendBackward', stage + 1, PROGRESS.gradientSendPosted, stage)];
    default:
      return assertNever(op);
  }
};
