import fc from 'fast-check';
import { createMicrobatchBuilder, createProgramBuilder } from '../../core/plan/builders.ts';
import type { Op } from '../../core/plan/op.ts';
import type { Plan } from '../../core/plan/plan.ts';

/** Choices that a random plan is made from; they shrink well. */
export interface PlanSeed {
  /** Devices of one rank; the other rank, where there are two, has as many of its own. */
  readonly deviceCount: number;
  readonly ranks: number;
  /** Collectives between the ranks: none but gradient sums, weights gathered around passes, results summed behind them. */
  readonly sharing: 'data' | 'sharded' | 'tensor';
  readonly splitBackwards: boolean;
  /** Device of each stage of a rank. */
  readonly stageDevices: readonly number[];
  /** Tokens of each microbatch of a rank; they belong to two adapters in turn. The other rank has them the other way round. */
  readonly tokens: readonly number[];
  /** How many of the last microbatches are evaluated only. */
  readonly heldOut: number;
  /** Which of the ops that are possible next comes next. */
  readonly choices: readonly number[];
  readonly arrivalNs: number;
}

export const planSeeds: fc.Arbitrary<PlanSeed> = fc.integer({ min: 1, max: 3 }).chain((deviceCount) =>
  fc.record({
    deviceCount: fc.constant(deviceCount),
    ranks: fc.constantFrom(1, 1, 2),
    sharing: fc.constantFrom('data', 'sharded', 'tensor'),
    splitBackwards: fc.boolean(),
    stageDevices: fc.array(fc.nat({ max: deviceCount - 1 }), { minLength: 1, maxLength: 4 }),
    tokens: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
    heldOut: fc.constantFrom(0, 0, 1, 2),
    choices: fc.array(fc.nat({ max: 999 }), { minLength: 1, maxLength: 40 }),
    arrivalNs: fc.nat({ max: 50 }),
  }),
);

/** An op on the device of its stage; a transfer stands for its send and its receive. Every rank has the same ones. */
interface Move {
  readonly ops: readonly Op[];
  readonly after: readonly number[];
}

const ADAPTERS = 2;

/** Devices of all ranks. */
export const devicesOf = ({ deviceCount, ranks }: PlanSeed): number => deviceCount * ranks;

/** Devices of the stages of all ranks. */
export const stageDevicesOf = ({ stageDevices, ranks, deviceCount }: PlanSeed): number[] =>
  Array.from({ length: ranks }, (_, rank) => rank).flatMap((rank) => stageDevices.map((device) => rank * deviceCount + device));

/** An op of rank 0 as another rank has it. */
const onRank = ({ stageDevices, tokens }: PlanSeed, op: Op, rank: number): Op => {
  const stage = op.stage + rank * stageDevices.length;
  return 'microbatch' in op ? { ...op, stage, microbatch: op.microbatch + rank * tokens.length } : { ...op, stage };
};

/** One iteration of each adapter through all stages and back, in a random order that respects dependencies. */
export const planOfSeed = (seed: PlanSeed): Plan => {
  const programs = Array.from({ length: devicesOf(seed) }, () => createProgramBuilder());
  const stageDevices = stageDevicesOf(seed);
  const microbatches = createMicrobatchBuilder();
  const ranks = Array.from({ length: seed.ranks }, (_, rank) => rank);
  for (const move of shuffled(movesOf(seed), seed.choices)) {
    for (const rank of ranks) {
      for (const op of move.ops.map((each) => onRank(seed, each, rank))) programs[stageDevices[op.stage]!]!.pushOp(op);
    }
  }
  for (const rank of ranks) {
    for (const [microbatch, tokens] of (rank === 0 ? seed.tokens : seed.tokens.toReversed()).entries()) {
      const adapter = microbatch % ADAPTERS;
      const index = Math.floor(microbatch / ADAPTERS);
      const part = { adapter, iteration: 0, index, rows: 1, tokens, squaredTokens: tokens * tokens };
      microbatches.push(adapter, [part], { pipeline: rank, forwardOnly: isHeldOut(seed, microbatch) });
    }
  }
  return {
    schedule: 'random',
    devices: programs.map((_, device) => `device${device}`),
    adapters: ['adapter0', 'adapter1'],
    arrivalsNs: [0, seed.arrivalNs],
    stages: stageDevices.map((device, stage) => {
      const layer = stage % seed.stageDevices.length;
      return { device, firstLayer: layer, endLayer: layer + 1, pipeline: Math.floor(stage / seed.stageDevices.length) };
    }),
    shapes: microbatches.shapes(),
    microbatches: microbatches.build(),
    programs: programs.map((program) => program.build()),
  };
};

const isHeldOut = ({ tokens, heldOut }: PlanSeed, microbatch: number): boolean => microbatch >= tokens.length - heldOut;

const movesOf = (seed: PlanSeed): Move[] => {
  const { stageDevices, tokens, sharing, ranks, splitBackwards } = seed;
  const moves: Move[] = [];
  const stages = [...stageDevices.keys()];
  const isLocal = (stage: number, other: number): boolean => stageDevices[stage] === stageDevices[other];
  const add = (ops: readonly Op[], after: readonly number[]): number => moves.push({ ops, after }) - 1;
  const addTransfer = (direction: 'Forward' | 'Backward', [from, to]: readonly [number, number], microbatch: number, after: number): number =>
    isLocal(from, to)
      ? after
      : add(
          [
            { kind: `send${direction}`, stage: from, microbatch },
            { kind: `receive${direction}`, stage: to, microbatch },
          ],
          [after],
        );
  /** A pass with the collectives around it; returns the move that its result is there after. */
  const addPass = (direction: 'Forward' | 'Backward', stage: number, microbatch: number, after: readonly number[]): { result: number; done: number } => {
    const gathered = sharing === 'sharded' ? [add([{ kind: `allGather${direction}`, stage, microbatch }], [])] : [];
    const isSplit = direction === 'Backward' && splitBackwards;
    const kind = direction === 'Forward' ? 'forward' : isSplit ? 'backwardInput' : 'backward';
    const pass = add([{ kind, stage, microbatch }], [...after, ...gathered]);
    const done = isSplit ? add([{ kind: 'backwardWeight', stage, microbatch }], [pass]) : pass;
    return { done, result: sharing === 'tensor' ? add([{ kind: `allReduce${direction}`, stage, microbatch }], [pass]) : pass };
  };

  for (let adapter = 0; adapter < Math.min(ADAPTERS, tokens.length); adapter++) {
    const own = [...tokens.keys()].filter((microbatch) => microbatch % ADAPTERS === adapter);
    // An adapter that is evaluated only is there from the start.
    const isTrained = own.some((microbatch) => !isHeldOut(seed, microbatch));
    const loads = isTrained ? stages.map((stage) => add([{ kind: 'load', stage, adapter }], [])) : [];
    const passes = stages.map((): number[] => []);
    for (const microbatch of own) {
      const forwards: number[] = [];
      for (const stage of stages) {
        const input = stage === 0 ? [] : [addTransfer('Forward', [stage - 1, stage], microbatch, forwards[stage - 1]!)];
        const { result, done } = addPass('Forward', stage, microbatch, [...input, ...loads.slice(stage, stage + 1)]);
        forwards.push(result);
        passes[stage]!.push(done);
      }
      if (isHeldOut(seed, microbatch)) continue;
      let later = forwards.at(-1)!;
      for (const stage of stages.toReversed()) {
        const gradient = stage === stages.length - 1 ? later : addTransfer('Backward', [stage + 1, stage], microbatch, later);
        const { result, done } = addPass('Backward', stage, microbatch, [gradient]);
        later = result;
        passes[stage]!.push(done);
      }
    }
    if (!isTrained) continue;
    for (const stage of stages) {
      const kind = sharing === 'sharded' ? 'reduceScatterGradients' : 'allReduceGradients';
      const reduced = ranks > 1 && sharing !== 'tensor' ? [add([{ kind, stage, adapter, iteration: 0 }], passes[stage]!)] : passes[stage]!;
      const step = add([{ kind: 'step', stage, adapter, iteration: 0 }], reduced);
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
