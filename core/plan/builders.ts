import { ensureCapacity } from '../columns.ts';
import { iterationOf, KIND, operandOf, type Op } from './op.ts';
import type { MicrobatchShape, MicrobatchTable, Program, ShapePart } from './plan.ts';

/** Appends ops to a program; columns grow by doubling. */
export interface ProgramBuilder {
  readonly push: (kind: number, stage: number, operand: number, iteration: number) => void;
  readonly pushOp: (op: Op) => void;
  /** The ops so far; the builder must not be used afterwards. */
  readonly build: () => Program;
}

export const createProgramBuilder = (capacity = 64): ProgramBuilder => {
  let length = 0;
  let kinds = new Uint8Array(capacity);
  let stages = new Uint16Array(capacity);
  let operands = new Uint32Array(capacity);
  let iterations = new Uint32Array(capacity);
  const push = (kind: number, stage: number, operand: number, iteration: number): void => {
    if (length === kinds.length) {
      kinds = ensureCapacity(kinds, length + 1);
      stages = ensureCapacity(stages, length + 1);
      operands = ensureCapacity(operands, length + 1);
      iterations = ensureCapacity(iterations, length + 1);
    }
    kinds[length] = kind;
    stages[length] = stage;
    operands[length] = operand;
    iterations[length] = iteration;
    length++;
  };
  return {
    push,
    pushOp: (op) => push(KIND[op.kind], op.stage, operandOf(op), iterationOf(op)),
    build: () => ({
      length,
      kind: kinds.slice(0, length),
      stage: stages.slice(0, length),
      operand: operands.slice(0, length),
      iteration: iterations.slice(0, length),
    }),
  };
};

/** What a microbatch carries of one adapter. */
export interface MicrobatchPart extends ShapePart {
  readonly iteration: number;
  readonly index: number;
}

const shapePart = ({ adapter, rows, tokens, squaredTokens, targets }: MicrobatchPart): ShapePart => ({
  adapter,
  rows,
  tokens,
  squaredTokens,
  ...(targets === undefined ? {} : { targets }),
});

/** How a microbatch travels; by default through pipeline 0, forward and backward. */
export interface MicrobatchTravel {
  readonly pipeline?: number;
  readonly forwardOnly?: boolean;
}

/** Appends microbatches to a table and gives equal shapes one number. */
export interface MicrobatchBuilder {
  /** Returns the microbatch's number. */
  readonly push: (group: number, parts: readonly MicrobatchPart[], travel?: MicrobatchTravel) => number;
  readonly shapeOf: (microbatch: number) => number;
  readonly shapeAt: (shape: number) => MicrobatchShape;
  readonly shapes: () => readonly MicrobatchShape[];
  readonly build: () => MicrobatchTable;
}

export const createMicrobatchBuilder = (): MicrobatchBuilder => {
  let length = 0;
  let partCount = 0;
  let groups = new Uint32Array(64);
  let shapes = new Uint32Array(64);
  let pipelines = new Uint16Array(64);
  let forwardOnlys = new Uint8Array(64);
  let partStarts = new Uint32Array(64);
  let partAdapters = new Uint32Array(64);
  let partIterations = new Uint32Array(64);
  let partIndices = new Uint32Array(64);
  const interned: MicrobatchShape[] = [];
  const shapeNumbers = new Map<string, number>();

  const intern = (parts: readonly MicrobatchPart[]): number => {
    let key = '';
    for (const part of parts) key += `${part.adapter},${part.rows},${part.tokens},${part.squaredTokens},${part.targets ?? ''};`;
    const known = shapeNumbers.get(key);
    if (known !== undefined) return known;
    shapeNumbers.set(key, interned.length);
    return (
      interned.push({
        parts: parts.map(shapePart),
      }) - 1
    );
  };

  const pushPart = (part: MicrobatchPart): void => {
    partAdapters = ensureCapacity(partAdapters, partCount + 1);
    partIterations = ensureCapacity(partIterations, partCount + 1);
    partIndices = ensureCapacity(partIndices, partCount + 1);
    partAdapters[partCount] = part.adapter;
    partIterations[partCount] = part.iteration;
    partIndices[partCount] = part.index;
    partCount++;
  };

  return {
    push: (group, parts, { pipeline = 0, forwardOnly = false } = {}) => {
      groups = ensureCapacity(groups, length + 1);
      shapes = ensureCapacity(shapes, length + 1);
      pipelines = ensureCapacity(pipelines, length + 1);
      forwardOnlys = ensureCapacity(forwardOnlys, length + 1);
      pipelines[length] = pipeline;
      forwardOnlys[length] = Number(forwardOnly);
      partStarts = ensureCapacity(partStarts, length + 2);
      groups[length] = group;
      shapes[length] = intern(parts);
      for (const part of parts) pushPart(part);
      partStarts[length + 1] = partCount;
      return length++;
    },
    shapeOf: (microbatch) => shapes[microbatch]!,
    shapeAt: (shape) => interned[shape]!,
    shapes: () => interned,
    build: () => ({
      length,
      group: groups.slice(0, length),
      shape: shapes.slice(0, length),
      pipeline: pipelines.slice(0, length),
      forwardOnly: forwardOnlys.slice(0, length),
      partStart: partStarts.slice(0, length + 1),
      partAdapter: partAdapters.slice(0, partCount),
      partIteration: partIterations.slice(0, partCount),
      partIndex: partIndices.slice(0, partCount),
    }),
  };
};
