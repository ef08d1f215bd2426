import fc from 'fast-check';
import { createMicrobatchBuilder, createProgramBuilder } from '../../core/plan/builders.ts';
import type { Op } from '../../core/plan/op.ts';
import type { Plan } from '../../core/plan/plan.ts';

/** Choices that a random plan is made from; they shrink well. */
export interface PlanSeed {
  readonly deviceCount: number;
  /** Device of each stage. */
  readonly stageDevices: readonly number[];
  /** Tokens of each microbatch; they belong to two adapters in turn. */
  readonly tokens: readonly number[];
  /** Which of the ops that are possible next comes next. */
  readonly choices: readonly number[];
  readonly arrivalNs: number;
}

export const planSeeds: fc.Arbitrary<PlanSeed> = fc.integer({ min: 1, max: 3 }).chain((deviceCount) =>
  fc.record({
    deviceCount: fc.constant(deviceCount),
    stageDevices: fc.array(fc.nat({ max: deviceCount - 1 }), { minLength: 1, maxLength: 4 }),
    tokens: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
    choices: fc.array(fc.nat({ max: 999 }), { minLength: 1, maxLength: 40 }),
    arrivalNs: fc.nat({ max: 50 }),
  }),
);

/** An op on the device of its stage; a transfer stands for its send and its receive. */
interface Move {
  readonly ops: readonly Op[];
  readonly after: readonly number[];
}

const ADAPTERS = 2;

/** One iteration of each adapter through all stages and back, in a random order that respects dependencies. */
export const planOfSeed = (seed: PlanSeed): Plan => {
  const programs = Array.from({ length: seed.deviceCount }, () => createProgramBuilder());
  for (const move of shuffled(movesOf(seed), seed.choices)) {
    for (const op of move.ops) programs[seed.stageDevices[op.stage]!]!.pushOp(op);
  }
  const microbatches = createMicrobatchBuilder();
  for (const [microbatch, tokens] of seed.tokens.entries()) {
    const adapter = microbatch % ADAPTERS;
    const index = Math.floor(microbatch / ADAPTERS);
    microbatches.push(adapter, [{ adapter, iteration: 0, index, rows: 1, tokens, squaredTokens: tokens * tokens }]);
  }
  return {
    schedule: 'random',
    devices: programs.map((_, device) => `device${device}`),
    adapters: ['adapter0', 'adapter1'],
    arrivalsNs: [0, seed.arrivalNs],
    stages: seed.stageDevices.map((device, stage) => ({ device, firstLayer: stage, endLayer: stage + 1 })),
    shapes: microbatches.shapes(),
    microbatches: microbatches.build(),
    programs: programs.map((program) => program.build()),
  };
};

const movesOf = ({ stageDevices, tokens }: PlanSeed): Move[] => {
  const moves: Move[] = [];
  const stages = [...stageDevices.keys()];
  const isLocal = (stage: number, other: number): boolean => stageDevices[stage] === stageDevices[other];
  const add = (ops: readonly Op[], after: readonly number[]): number => moves.push({ ops, after }) - 1;
  const addTransfer = (direction: 'Forward' | 'Backward', stages: readonly [number, number], microbatch: number, after: number): number =>
    isLocal(...stages)
      ? after
      : add(
          [
            { kind: `send${direction}`, stage: stages[0], microbatch },
            { kind: `receive${direction}`, stage: stages[1], microbatch },
          ],
          [after],
        );

  for (let adapter = 0; adapter < Math.min(ADAPTERS, tokens.length); adapter++) {
    const loads = stages.map((stage) => add([{ kind: 'load', stage, adapter }], []));
    const backwards = stages.map((): number[] => []);
    for (let microbatch = adapter; microbatch < tokens.length; microbatch += ADAPTERS) {
      const forwards: number[] = [];
      for (const stage of stages) {
        const input = stage === 0 ? loads[0]! : addTransfer('Forward', [stage - 1, stage], microbatch, forwards[stage - 1]!);
        forwards.push(add([{ kind: 'forward', stage, microbatch }], [input, loads[stage]!]));
      }
      let later = forwards.at(-1)!;
      for (const stage of stages.toReversed()) {
        const gradient = stage === stages.length - 1 ? later : addTransfer('Backward', [stage + 1, stage], microbatch, later);
        later = add([{ kind: 'backward', stage, microbatch }], [gradient]);
        backwards[stage]!.push(later);
      }
    }
    for (const stage of stages) {
      const step = add([{ kind: 'step', stage, adapter, iteration: 0 }], backwards[stage]!);
      const save = add([{ kind: 'save', stage, adapter }], [step]);
      add([{ kind: 'release', stage, adapter }], [save]);
    }
  }
  return moves;
};

/** The moves in the order the choices give, each after those it comes after. */
const shuffled = (moves: readonly Move[], choices: readonly number[]): Move[] => {
  const done = new Set<number>();
  const order: Move[] = [];
  while (order.length < moves.length) {
    const possible = [...moves.keys()].filter((move) => !done.has(move) && moves[move]!.after.every((before) => done.has(before)));
    const chosen = possible[choices[order.length % choices.length]! % possible.length]!;
    done.add(chosen);
    order.push(moves[chosen]!);
  }
  return order;
};
