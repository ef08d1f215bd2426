/**
 * A plan without an end, piece by piece: ops with their transfers are taken off as they are planned, and what is through is
 * forgotten. Planned in order of start, every receive is posted as its data is begun to be made, so that all streams agree
 * with one order in time, as those of lowered plans do (lower-transfers.ts).
 */
import { createProgramBuilder, type MicrobatchPart } from '../plan/builders.ts';
import { KIND } from '../plan/op.ts';
import type { MicrobatchShape, Program, StagePlacement } from '../plan/plan.ts';
import type { LorappState } from './lorapp-state.ts';
import type { PlanTarget } from './plan-writer.ts';

/** A microbatch that ops of this or a later piece are about. */
export interface PieceMicrobatch {
  readonly number: number;
  readonly group: number;
  /** Held-out rows. */
  readonly forwardOnly: boolean;
  readonly parts: readonly MicrobatchPart[];
}

/** What was planned since the piece before: ops by device, and the microbatches that were numbered. */
export interface PlanPiece {
  readonly programs: readonly Program[];
  readonly microbatches: readonly PieceMicrobatch[];
}

export interface PlanPieces extends PlanTarget {
  readonly take: () => PlanPiece;
  /** Forwards and backwards written for a device so far, taken or not. */
  readonly passes: (device: number) => number;
  /** Number of the next microbatch. */
  readonly nextMicrobatch: () => number;
  /** Forgets the microbatches before this one. */
  readonly forget: (before: number) => void;
}

/** Ops of a kind that are followed by a transfer to a neighbour, where that is on another device. */
const TRANSFER = {
  [KIND.forward]: { send: KIND.sendForward, receive: KIND.receiveForward, step: 1 },
  [KIND.backward]: { send: KIND.sendBackward, receive: KIND.receiveBackward, step: -1 },
} as const;

/** For one pipeline with these stages; microbatches are numbered from `firstMicrobatch` on. */
export const createPlanPieces = (deviceCount: number, stages: readonly StagePlacement[], firstMicrobatch = 0): PlanPieces => {
  const fresh = (): ReturnType<typeof createProgramBuilder>[] => Array.from({ length: deviceCount }, () => createProgramBuilder());
  let builders = fresh();
  const passes = new Array<number>(deviceCount).fill(0);
  let numbered: PieceMicrobatch[] = [];
  let count = firstMicrobatch;
  const shapes = new Map<number, MicrobatchShape>();

  const push = (device: number, kind: number, stage: number, operand: number, iteration: number): void => {
    builders[device]!.push(kind, stage, operand, iteration);
    if (kind !== KIND.forward && kind !== KIND.backward) return;
    passes[device]! += 1;
    const { send, receive, step } = TRANSFER[kind];
    const neighbour = stages[stage + step];
    if (neighbour === undefined || neighbour.device === device) return;
    builders[device]!.push(send, stage, operand, 0);
    builders[neighbour.device]!.push(receive, stage + step, operand, 0);
  };
  return {
    programs: builders.map((_, device) => ({ push: (kind, stage, operand, iteration) => push(device, kind, stage, operand, iteration) })),
    microbatches: {
      push: (group, parts, { forwardOnly = false } = {}) => {
        numbered.push({ number: count, group, forwardOnly, parts });
        shapes.set(count, { parts });
        return count++;
      },
      // Every microbatch is a shape of its own: rows of files are rarely alike, and those that are through are forgotten.
      shapeOf: (microbatch) => microbatch,
      shapeAt: (shape) => shapes.get(shape)!,
    },
    take: () => {
      const piece = { programs: builders.map((builder) => builder.build()), microbatches: numbered };
      builders = fresh();
      numbered = [];
      return piece;
    },
    passes: (device) => passes[device]!,
    nextMicrobatch: () => count,
    forget: (before) => {
      for (const number of shapes.keys()) {
        if (number >= before) return;
        shapes.delete(number);
      }
    },
  };
};

/** The first microbatch that has not been through all its forwards and backwards yet; Infinity where there is none. */
export const oldestMicrobatch = ({ groups, stages }: LorappState): number => {
  let oldest = Infinity;
  for (const { numbers, released } of groups) if (released < numbers.length) oldest = Math.min(oldest, numbers[released]!);
  for (const { forwards, backwards, waiting } of stages) {
    for (const list of [forwards, backwards, waiting]) for (const { microbatch } of list) oldest = Math.min(oldest, microbatch);
  }
  return oldest;
};
