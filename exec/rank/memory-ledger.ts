import { MEMORY_CLASS, MEMORY_CLASSES, type MemoryClass } from '../../core/cost-model.ts';
import type { Op } from '../../core/plan/op.ts';
import { appendMemoryChange, createMemoryColumns, finishMemory } from '../../core/trace/memory-builder.ts';
import type { MemoryTable } from '../../core/trace/trace.ts';
import type { OpBytes } from './execution.ts';

/**
 * Tells apart by class what the backend counts as one sum. The bytes are measured: each op's change of the sum goes to
 * the class that an op of its kind changes. What lives only while an op runs is not seen, so `transient` stays empty.
 */
export interface MemoryLedger {
  readonly hold: (memoryClass: MemoryClass, atNs: number, changeBytes: number) => void;
  readonly computed: (op: Op, atNs: number, bytes: OpBytes) => void;
  /** The changes since the last time it was asked. */
  readonly take: () => MemoryTable;
}

type ParameterBytes = (stage: number, adapter: number) => number;

/** Bytes to be given back later, by name: each is taken out once. */
interface Debts {
  readonly owe: (name: string, bytes: number) => void;
  readonly settle: (name: string) => number;
}

const createDebts = (): Debts => {
  const owed = new Map<string, number>();
  return {
    owe: (name, bytes) => owed.set(name, bytes),
    settle: (name) => {
      const bytes = owed.get(name) ?? 0;
      owed.delete(name);
      return bytes;
    },
  };
};

type Changes = Partial<Record<MemoryClass, number>>;

/** Which classes a compute op's change of `kept` bytes belongs to, tensors between stages left aside. */
const createAttribution = (parameterBytes: ParameterBytes): ((op: Op, kept: number) => Changes) => {
  const { owe, settle } = createDebts();
  return (op, kept) => {
    switch (op.kind) {
      case 'forward':
        owe(`${op.stage}F${op.microbatch}`, kept);
        return { activations: kept };
      case 'backward': {
        const activations = settle(`${op.stage}F${op.microbatch}`);
        return { activations: -activations, gradients: kept + activations };
      }
      case 'step':
        return { gradients: kept };
      case 'load': {
        const adapters = parameterBytes(op.stage, op.adapter);
        owe(`${op.stage}LOAD${op.adapter}`, kept - adapters);
        return { adapters, optimizer: kept - adapters };
      }
      case 'release': {
        const adapters = parameterBytes(op.stage, op.adapter);
        const optimizer = settle(`${op.stage}LOAD${op.adapter}`);
        return { adapters: -adapters, optimizer: -optimizer, gradients: kept + adapters + optimizer };
      }
      default:
        return {};
    }
  };
};

/** `parameterBytes`: size of an adapter's trained matrices on a stage, which tells them from its optimizer state. */
export const createMemoryLedger = (device: number, parameterBytes: ParameterBytes): MemoryLedger => {
  let columns = createMemoryColumns();
  const held = new Float64Array(MEMORY_CLASSES.length);
  const attribute = createAttribution(parameterBytes);
  const hold: MemoryLedger['hold'] = (memoryClass, timeNs, changeBytes) => {
    const index = MEMORY_CLASS[memoryClass];
    const bytes = Math.max(0, held[index]! + changeBytes);
    if (bytes === held[index]) return;
    held[index] = bytes;
    appendMemoryChange(columns, { device, memoryClass: index, timeNs, bytes });
  };
  return {
    hold,
    computed: (op, atNs, { held: change, input, output }) => {
      const changes: Changes = { communication: output - input, ...attribute(op, change - output + input) };
      for (const memoryClass of MEMORY_CLASSES) hold(memoryClass, atNs, changes[memoryClass] ?? 0);
    },
    take: () => {
      const taken = finishMemory(columns);
      columns = createMemoryColumns();
      return taken;
    },
  };
};
