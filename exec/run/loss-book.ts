import type { LossReport } from '../rank/messages.ts';

/** Adds the losses of a mini-batch's microbatches up, whatever order they are reported in. */
export interface LossBook {
  readonly add: (report: LossReport) => void;
}

export interface LossBookOptions {
  /** Microbatches of one iteration of an adapter. */
  readonly partsOf: (adapter: number) => number;
  readonly onIteration: (adapter: number, iteration: number, loss: number) => void;
}

export const createLossBook = ({ partsOf, onIteration }: LossBookOptions): LossBook => {
  const open = new Map<string, LossReport[]>();
  return {
    add: (report) => {
      const { adapter, iteration } = report;
      const name = `${adapter}.${iteration}`;
      const parts = [...(open.get(name) ?? []), report];
      open.set(name, parts);
      if (parts.length < partsOf(adapter)) return;
      open.delete(name);
      const loss = parts.sort((a, b) => a.index - b.index).reduce((sum, part) => sum + part.loss, 0);
      onIteration(adapter, iteration, loss);
    },
  };
};
