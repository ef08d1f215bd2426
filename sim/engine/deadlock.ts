import { STREAM, streamOf, type MicrobatchOpKind, type Op, type Stream } from '../../core/plan/op.ts';
import { opAt } from '../../core/plan/plan.ts';
import { formatOp } from '../../core/plan/text.ts';
import { formatDuration } from '../../core/units.ts';
import { cellOf, isPastWait, programOf, PROGRESS, streamId, type Engine } from './engine.ts';

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

const PROGRAM_STREAMS = ['compute', 'send', 'receive', 'collective'] as const satisfies readonly Stream[];

/** Every stream with ops left, and what it waits for; empty when all programs ended. */
export const findStuckStreams = (engine: Engine): StuckStream[] =>
  engine.plan.devices.flatMap((name, device) =>
    PROGRAM_STREAMS.flatMap((stream) => {
      const program = programOf(engine, device);
      const position = engine.position[streamId(device, STREAM[stream])]!;
      if (position === program.length) return [];
      const op = opAt(program, position);
      return [{ device: name, stream, position, op: formatOp(op), waitsFor: waitsOf(engine, device, position, op) }];
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

/** Ops, or devices, that must come first and have not. */
const waitsOf = (engine: Engine, device: number, position: number, op: Op): string[] => {
  if (streamOf(op.kind) === 'collective') return membersMissing(engine, device, position);
  const collective = isPastWait(engine, device, position) ? [] : [formatOp(opAt(programOf(engine, device), engine.waits[device]![position]!))];
  const ops = prerequisites(engine, op)
    .filter(({ stage, microbatch, bit }) => (engine.progress[cellOf(engine, stage, microbatch)]! & bit) === 0)
    .map((prerequisite) => formatOp(prerequisite.op));
  return [...collective, ...ops];
};

/** Devices that have not come to a collective, or the device itself where compute ops stand before it. */
const membersMissing = (engine: Engine, device: number, position: number): string[] => {
  const { communicators, isPosted } = engine.collectives;
  const { kind, stage } = programOf(engine, device);
  const members = communicators.members[communicators.of(kind[position]!, stage[position]!)]!;
  return members.filter((member) => isPosted[member] === 0).map((member) => engine.plan.devices[member]!);
};

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
  const { previous, next } = engine.neighbours;
  const isLocal = (neighbour: number): boolean => engine.deviceOfStage[neighbour] === engine.deviceOfStage[stage];
  const own = needs('forward', stage, PROGRESS.forwardDone);
  switch (op.kind) {
    case 'forward':
      if (previous[stage]! < 0) return [];
      return isLocal(previous[stage]!)
        ? [needs('forward', previous[stage]!, PROGRESS.forwardDone)]
        : [needs('receiveForward', stage, PROGRESS.inputArrived)];
    case 'backward':
    case 'backwardInput':
      if (next[stage]! < 0) return [own];
      return isLocal(next[stage]!)
        ? [own, needs('backward', next[stage]!, PROGRESS.backwardDone)]
        : [own, needs('receiveBackward', stage, PROGRESS.gradientArrived)];
    case 'backwardWeight':
      return [needs('backwardInput', stage, PROGRESS.backwardDone)];
    case 'sendForward':
      return [own, needs('receiveForward', next[stage]!, PROGRESS.inputReceivePosted)];
    case 'sendBackward':
      return [
        needs('backward', stage, PROGRESS.backwardDone),
        needs('receiveBackward', previous[stage]!, PROGRESS.gradientReceivePosted),
      ];
    case 'receiveForward':
      return [needs('sendForward', previous[stage]!, PROGRESS.inputSendPosted, stage)];
    case 'receiveBackward':
      return [needs('sendBackward', next[stage]!, PROGRESS.gradientSendPosted, stage)];
    default:
      return [];
  }
};
