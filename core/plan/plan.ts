import { kindName, makeOp, type Op } from './op.ts';

/** Rows of one adapter inside a microbatch, as far as cost and memory depend on them. */
export interface ShapePart {
  readonly adapter: number;
  readonly rows: number;
  /** Σ length over the rows. */
  readonly tokens: number;
  /** Σ length² over the rows: the size of the attention score matrices. */
  readonly squaredTokens: number;
  /** Positions that carry a loss; absent: all tokens. */
  readonly targets?: number;
  /** Σ length² over the executor's attention blocks, where they are known; absent: as `shapeAsPacked` takes rows. */
  readonly blockSquares?: number;
}

/** Microbatches with equal parts share one shape, so costs are computed once per shape. */
export interface MicrobatchShape {
  readonly parts: readonly ShapePart[];
}

/**
 * All microbatches of a plan as columns. Microbatch m carries the parts `partStart[m]` up to `partStart[m + 1]`, in
 * the order of its shape's parts: rows of adapter `partAdapter`, belonging to microbatch number `partIndex` of that
 * adapter's iteration `partIteration`. A microbatch that is `forwardOnly` carries held-out rows, which are evaluated
 * with the weights that iteration starts with.
 */
export interface MicrobatchTable {
  readonly length: number;
  /** BatchLoRA group that travels as this microbatch. */
  readonly group: Uint32Array;
  readonly shape: Uint32Array;
  /** Pipeline whose stages it passes. */
  readonly pipeline: Uint16Array;
  /** 1: no backward, no step. */
  readonly forwardOnly: Uint8Array;
  readonly partStart: Uint32Array;
  readonly partAdapter: Uint32Array;
  readonly partIteration: Uint32Array;
  readonly partIndex: Uint32Array;
}

/**
 * A contiguous range of layers on one device. The first stage of a pipeline holds the embedding, the last one the LM
 * head. Stages of a pipeline stand together, in the order in which microbatches pass them.
 */
export interface StagePlacement {
  readonly device: number;
  readonly firstLayer: number;
  /** Exclusive. */
  readonly endLayer: number;
  /**
   * Microbatches stay inside one pipeline; absent: 0. Data-parallel and sharded ranks, tensor-parallel ranks and
   * instances beside each other are pipelines of one plan; stages of equal layers in several of them are peers.
   */
  readonly pipeline?: number;
  /** Tensor-parallel rank; pipelines with another one than 0 repeat the rows of rank 0. Absent: 0. */
  readonly shard?: number;
  /** Only layer inputs are kept in forward; backward computes the rest again. Absent: false. */
  readonly recompute?: boolean;
}

/**
 * The ordered ops of one device as columns: `operand` is the microbatch or the adapter, `iteration` is set for steps and
 * gradient collectives and 0 elsewhere. Every stream runs its ops in this order. A collective starts once the compute
 * ops that stand before it are done and every other rank of its communicator has come to it as well.
 */
export interface Program {
  readonly length: number;
  readonly kind: Uint8Array;
  readonly stage: Uint16Array;
  readonly operand: Uint32Array;
  readonly iteration: Uint32Array;
}

/** What the ops of a plan refer to; a trace carries it too, so that spans can be explained without the programs. */
export interface PlanTables {
  readonly schedule: string;
  readonly devices: readonly string[];
  readonly adapters: readonly string[];
  /** When each adapter's job arrives; its `load` cannot start earlier. */
  readonly arrivalsNs: readonly number[];
  readonly stages: readonly StagePlacement[];
  readonly shapes: readonly MicrobatchShape[];
  readonly microbatches: MicrobatchTable;
}

/** Placement, microbatch table and one program per device: everything simulator and executor need to know. */
export interface Plan extends PlanTables {
  readonly programs: readonly Program[];
}

/** The op at a position of a program. */
export const opAt = ({ kind, stage, operand, iteration }: Omit<Program, 'length'>, position: number): Op =>
  makeOp(kindName(kind[position]!), stage[position]!, operand[position]!, iteration[position]!);

export const opsOf = function* (program: Program): Generator<Op> {
  for (let position = 0; position < program.length; position++) yield opAt(program, position);
};

export const countOps = (plan: Plan): number => plan.programs.reduce((sum, program) => sum + program.length, 0);

/** Adapters, iterations and indices that microbatch m carries, as readable objects. */
export const partsOf = (
  table: MicrobatchTable,
  microbatch: number,
): { readonly adapter: number; readonly iteration: number; readonly index: number }[] => {
  const parts = [];
  for (let p = table.partStart[microbatch]!; p < table.partStart[microbatch + 1]!; p++) {
    parts.push({
      adapter: table.partAdapter[p]!,
      iteration: table.partIteration[p]!,
      index: table.partIndex[p]!,
    });
  }
  return parts;
};
