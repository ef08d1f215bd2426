import { kindName, type Op } from './op.ts';

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
}

/** Microbatches with equal parts share one shape, so costs are computed once per shape. */
export interface MicrobatchShape {
  readonly parts: readonly ShapePart[];
}

/**
 * All microbatches of a plan as columns. Microbatch m carries the parts `partStart[m]` up to `partStart[m + 1]`, in
 * the order of its shape's parts: rows of adapter `partAdapter`, belonging to microbatch number `partIndex` of that
 * adapter's iteration `partIteration`.
 */
export interface MicrobatchTable {
  readonly length: number;
  /** BatchLoRA group that travels as this microbatch. */
  readonly group: Uint32Array;
  readonly shape: Uint32Array;
  readonly partStart: Uint32Array;
  readonly partAdapter: Uint32Array;
  readonly partIteration: Uint32Array;
  readonly partIndex: Uint32Array;
}

/** A contiguous range of layers on one device. The first stage holds the embedding, the last one the LM head. */
export interface StagePlacement {
  readonly device: number;
  readonly firstLayer: number;
  /** Exclusive. */
  readonly endLayer: number;
}

/**
 * The ordered ops of one device as columns: `operand` is the microbatch or the adapter, `iteration` is set for `step`
 * and 0 elsewhere.
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
export const opAt = (program: Program, position: number): Op => {
  const kind = kindName(program.kind[position]!);
  const stage = program.stage[position]!;
  const operand = program.operand[position]!;
  switch (kind) {
    case 'step':
      return { kind, stage, adapter: operand, iteration: program.iteration[position]! };
    case 'load':
    case 'save':
    case 'release':
      return { kind, stage, adapter: operand };
    default:
      return { kind, stage, microbatch: operand };
  }
};

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
