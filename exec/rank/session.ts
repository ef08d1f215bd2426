import type { StagePlacement } from '../../core/plan/plan.ts';
import { heldoutRows, trainingRows } from '../data/row-source.ts';
import type { NamedArray } from '../stage.ts';
import type { Transport } from '../transport/transport.ts';
import type { Engine } from './engine.ts';
import type { AdapterStart } from './execution.ts';
import type { Halt } from './halt.ts';
import type { RankAdapter, RankSetup } from './messages.ts';
import type { AdapterRows } from './packed-batches.ts';

/** What a rank holds between programs. */
export interface Session {
  readonly setup: RankSetup;
  readonly engine: Engine;
  readonly transport: Transport;
  /** Added to this process's clock it gives the coordinator's. */
  readonly offsetNs: number;
  /** Weights of adapters that were saved, by stage and adapter: evaluation after training starts from them. */
  readonly saved: Map<string, readonly NamedArray[]>;
  /** Of the program that runs or ran last. */
  halt: Halt | null;
}

export const savedName = (stage: number, adapter: number): string => `${stage}/${adapter}`;

/** How an adapter comes onto a stage: with the weights it was saved with, as an earlier run left it, or fresh. */
export const startOf = ({ setup, saved }: Session, stage: number, adapter: number): AdapterStart => {
  const { setup: adapterSetup, start } = setup.adapters[adapter]!;
  const initial = saved.get(savedName(stage, adapter));
  if (initial !== undefined) return { setup: adapterSetup, initial };
  if (start === null) return { setup: adapterSetup };
  return { setup: adapterSetup, initial: start.tensors, steps: start.iteration };
};

/** Rows that an adapter's microbatches are made of. */
export const rowsOf = ({ training, order, heldout }: RankAdapter): AdapterRows => ({
  training: trainingRows(training, order),
  heldout: heldout === null ? null : heldoutRows(heldout.table, heldout.batchSize),
});

/** Stages of a device, by number. */
export const ownStages = (placements: readonly StagePlacement[], device: number): readonly number[] =>
  placements.flatMap((placement, stage) => (placement.device === device ? [stage] : []));
