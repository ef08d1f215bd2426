/**
 * Puts programs that were planned for devices of their own onto devices that they share: whichever op can start first
 * goes first, of several the one that has waited longest, as where processes share a GPU. Every program keeps its order.
 */
import type { CostModel } from '../cost-model.ts';
import { createProgramBuilder, type ProgramBuilder } from './builders.ts';
import { KIND } from './op.ts';
import type { Plan } from './plan.ts';
import { readyNsOf, runOp, startReplay, type Replay } from './replay.ts';

/** The devices to share, and which of them takes each device of the plan. */
export interface Fold {
  readonly devices: readonly string[];
  readonly deviceOf: readonly number[];
}

/** The plan, which has no transfers yet, on fewer devices. */
export const foldDevices = (
  plan: Plan,
  { devices, deviceOf }: Fold,
  cost: CostModel,
  transferNs: (fromStage: number, toStage: number, bytes: number) => number,
): Plan => {
  const replay = startReplay(plan, cost, transferNs);
  const programs = devices.map(() => createProgramBuilder());
  const freeNs = devices.map(() => 0);
  for (let next = firstToStart(replay, deviceOf, freeNs); next !== null; next = firstToStart(replay, deviceOf, freeNs)) {
    const device = deviceOf[next.program]!;
    const position = replay.positions[next.program]!++;
    freeNs[device] = runOp(replay, next.program, position, next.startNs);
    append(programs[device]!, plan, next.program, position);
  }
  return {
    ...plan,
    devices,
    stages: plan.stages.map((stage) => ({ ...stage, device: deviceOf[stage.device]! })),
    programs: programs.map((program) => program.build()),
  };
};

interface Candidate {
  readonly program: number;
  readonly readyNs: number;
  readonly startNs: number;
}

const firstToStart = (replay: Replay, deviceOf: readonly number[], freeNs: readonly number[]): Candidate | null => {
  let first: Candidate | null = null;
  for (const [program, { length }] of replay.plan.programs.entries()) {
    const position = replay.positions[program]!;
    if (position === length) continue;
    const own = position === 0 ? 0 : replay.times[program]!.endNs[position - 1]!;
    const readyNs = Math.max(own, readyNsOf(replay, program, position));
    if (Number.isNaN(readyNs)) continue;
    const startNs = Math.max(readyNs, freeNs[deviceOf[program]!]!);
    if (first === null || startNs < first.startNs || (startNs === first.startNs && readyNs < first.readyNs)) first = { program, readyNs, startNs };
  }
  return first;
};

/** A stage without layers has no gradients: its part in their norm is that of the stage whose device it shares. */
const append = (builder: ProgramBuilder, { programs, stages }: Plan, device: number, position: number): void => {
  const { kind, stage, operand, iteration } = programs[device]!;
  const { firstLayer, endLayer } = stages[stage[position]!]!;
  if (kind[position] === KIND.allReduceNorm && firstLayer === endLayer) return;
  builder.push(kind[position]!, stage[position]!, operand[position]!, iteration[position]!);
};
