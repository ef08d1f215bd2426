import type { StagePlacement } from './plan.ts';

/** Pipeline of a stage; a plan that says nothing has one. */
export const pipelineOf = ({ pipeline = 0 }: StagePlacement): number => pipeline;

/** The stages before and after each stage in its pipeline; −1 where there is none. */
export interface Neighbours {
  readonly previous: Int32Array;
  readonly next: Int32Array;
}

/** Stages of a pipeline stand together and in the order in which activations pass them. */
export const neighboursOf = (stages: readonly StagePlacement[]): Neighbours => {
  const follows = (stage: number): boolean =>
    stage > 0 && stage < stages.length && pipelineOf(stages[stage - 1]!) === pipelineOf(stages[stage]!);
  return {
    previous: Int32Array.from(stages, (_, stage) => (follows(stage) ? stage - 1 : -1)),
    next: Int32Array.from(stages, (_, stage) => (follows(stage + 1) ? stage + 1 : -1)),
  };
};
