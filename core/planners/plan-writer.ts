import { evaluationOf, firstIterationOf, isClosing, turnCount, type Workload } from '../workload.ts';
import { createMicrobatchBuilder, createProgramBuilder, type MicrobatchBuilder, type ProgramBuilder } from '../plan/builders.ts';
import { KIND, type ComputeOpKind, type GradientCollectiveKind, type MicrobatchCollectiveKind } from '../plan/op.ts';
import type { Plan, StagePlacement } from '../plan/plan.ts';

/** Iteration of one adapter inside a round of its group. */
export interface Turn {
  readonly adapter: number;
  readonly iteration: number;
}

/** Where a writer's microbatches and ops go, the ops by device. */
export interface PlanTarget {
  readonly microbatches: Omit<MicrobatchBuilder, 'shapes' | 'build'>;
  readonly programs: readonly Pick<ProgramBuilder, 'push'>[];
}

/** Where planners write: appends ops to the programs and keeps each adapter's life-cycle ops in their place. */
export interface OpWriter {
  readonly microbatches: PlanTarget['microbatches'];
  /** Appends microbatch `index` of a round, for a pipeline (default 0); returns its number. */
  readonly addMicrobatch: (group: number, turns: readonly Turn[], index: number, pipeline?: number) => number;
  /** Appends the held-out microbatches that an iteration of an adapter starts with; returns their numbers. */
  readonly addEvaluation: (group: number, turn: Turn, pipeline?: number) => readonly number[];
  /** A forward; the first one of an adapter on a stage is preceded by its `load`. */
  readonly forward: (stage: number, microbatch: number, turns: readonly Turn[]) => void;
  /** A forward of held-out rows. */
  readonly evaluate: (stage: number, microbatch: number) => void;
  readonly backward: (stage: number, microbatch: number, kind?: Exclude<ComputeOpKind, 'forward'>) => void;
  readonly collective: (kind: MicrobatchCollectiveKind, stage: number, microbatch: number) => void;
  readonly reduce: (kind: GradientCollectiveKind, stage: number, turns: readonly Turn[]) => void;
  /** The sums of gradient norms that come between a device's last backward of a round and its steps, where any adapter clips. */
  readonly norms: (stage: number, turns: readonly Turn[]) => void;
  /** The steps that end a round on a stage; the last turn of an adapter is followed by `save` and `release`. */
  readonly step: (stage: number, turns: readonly Turn[]) => void;
  /** `save` and `release` of an adapter that ends after iterations whose step is there already. */
  readonly unload: (stage: number, adapter: number) => void;
}

/** A writer that keeps all it writes. */
export interface PlanWriter extends OpWriter {
  readonly build: (schedule: string) => Plan;
}

export const createPlanWriter = (workload: Workload, devices: readonly string[], stages: readonly StagePlacement[]): PlanWriter => {
  const programs = devices.map(() => createProgramBuilder());
  const microbatches = createMicrobatchBuilder();
  return {
    ...createOpWriter(workload, stages, { microbatches, programs }),
    build: (schedule) => ({
      schedule,
      devices,
      adapters: workload.adapters.map(({ name }) => name),
      arrivalsNs: workload.adapters.map(({ arrivalNs }) => arrivalNs),
      stages,
      shapes: microbatches.shapes(),
      microbatches: microbatches.build(),
      programs: programs.map((program) => program.build()),
    }),
  };
};

export const createOpWriter = (workload: Workload, stages: readonly StagePlacement[], { microbatches, programs }: PlanTarget): OpWriter => {
  const programOf = (stage: number): PlanTarget['programs'][number] => programs[stages[stage]!.device]!;
  const loaded = stages.map(() => new Set<number>());
  const load = (stage: number, adapter: number): void => {
    if (loaded[stage]!.has(adapter)) return;
    loaded[stage]!.add(adapter);
    programOf(stage).push(KIND.load, stage, adapter, 0);
  };
  const unload = (stage: number, adapter: number): void => {
    if (!loaded[stage]!.delete(adapter)) return;
    programOf(stage).push(KIND.save, stage, adapter, 0);
    programOf(stage).push(KIND.release, stage, adapter, 0);
  };
  return {
    microbatches,
    addMicrobatch: (group, turns, index, pipeline = 0) =>
      microbatches.push(
        group,
        turns
          .filter(({ adapter, iteration }) => index < workload.adapters[adapter]!.microbatches && !isClosing(workload.adapters[adapter]!, iteration))
          .map(({ adapter, iteration }) => ({
            adapter,
            iteration,
            index,
            ...workload.adapters[adapter]!.part(iteration, index),
          })),
        { pipeline },
      ),
    addEvaluation: (group, { adapter, iteration }, pipeline = 0) =>
      evaluationOf(workload.adapters[adapter]!, iteration).map((size, index) =>
        microbatches.push(group, [{ adapter, iteration, index, ...size }], { forwardOnly: true, pipeline }),
      ),
    evaluate: (stage, microbatch) => programOf(stage).push(KIND.forward, stage, microbatch, 0),
    forward: (stage, microbatch, turns) => {
      for (const { adapter, iteration } of turns) {
        if (iteration === firstIterationOf(workload.adapters[adapter]!)) load(stage, adapter);
      }
      programOf(stage).push(KIND.forward, stage, microbatch, 0);
    },
    backward: (stage, microbatch, kind = 'backward') => programOf(stage).push(KIND[kind], stage, microbatch, 0),
    collective: (kind, stage, microbatch) => programOf(stage).push(KIND[kind], stage, microbatch, 0),
    reduce: (kind, stage, turns) => {
      for (const { adapter, iteration } of turns) programOf(stage).push(KIND[kind], stage, adapter, iteration);
    },
    norms: (stage, turns) => {
      for (const { adapter, iteration } of turns) {
        if (workload.adapters[adapter]!.clips === true && !isClosing(workload.adapters[adapter]!, iteration)) programOf(stage).push(KIND.allReduceNorm, stage, adapter, iteration);
      }
    },
    step: (stage, turns) => {
      const program = programOf(stage);
      for (const { adapter, iteration } of turns) if (!isClosing(workload.adapters[adapter]!, iteration)) program.push(KIND.step, stage, adapter, iteration);
      for (const { adapter, iteration } of turns) if (iteration + 1 >= turnCount(workload.adapters[adapter]!)) unload(stage, adapter);
    },
    unload,
  };
};
