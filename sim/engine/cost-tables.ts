import type { ComputeCost, CostModel } from '../../core/cost-model.ts';
import { KIND } from '../../core/plan/op.ts';
import type { PlanTables } from '../../core/plan/plan.ts';

/**
 * Costs of a plan's ops, asked for once and rounded to whole nanoseconds and bytes. A row stands for all ops with the
 * same cost: first the forwards by stage · shapeCount + shape, then the backwards, then the steps by
 * stage · adapterCount + adapter, last one row of zeros for everything else.
 */
export interface CostTables {
  readonly shapeCount: number;
  readonly adapterCount: number;
  readonly backwardRow: number;
  readonly stepRow: number;
  readonly zeroRow: number;
  readonly deviceNs: Float64Array;
  readonly launchNs: Float64Array;
  readonly firstLaunchNs: Float64Array;
  readonly transientBytes: Float64Array;
  /** By stage · shapeCount + shape. */
  readonly activationBytes: Float64Array;
  /** By shape. */
  readonly transferBytes: Float64Array;
  /** By stage · adapterCount + adapter. */
  readonly adapterBytes: Float64Array;
  readonly gradientBytes: Float64Array;
  readonly optimizerBytes: Float64Array;
  /** Shape of each microbatch. */
  readonly shapeOf: Uint32Array;
}

/** Asks the cost model about every stage, shape and adapter; throws on a cost that is no finite number from 0 up. */
export const tabulateCosts = (plan: PlanTables, cost: CostModel): CostTables => {
  const shapeCount = plan.shapes.length;
  const adapterCount = plan.adapters.length;
  const backwardRow = plan.stages.length * shapeCount;
  const stepRow = 2 * backwardRow;
  const zeroRow = stepRow + plan.stages.length * adapterCount;
  const column = (): Float64Array => new Float64Array(zeroRow + 1);
  const tables: CostTables = {
    shapeCount,
    adapterCount,
    backwardRow,
    stepRow,
    zeroRow,
    deviceNs: column(),
    launchNs: column(),
    firstLaunchNs: column(),
    transientBytes: column(),
    activationBytes: new Float64Array(backwardRow),
    transferBytes: Float64Array.from(plan.shapes, (shape) => checked(cost.transferBytes(shape), 'transfer')),
    adapterBytes: new Float64Array(zeroRow - stepRow),
    gradientBytes: new Float64Array(zeroRow - stepRow),
    optimizerBytes: new Float64Array(zeroRow - stepRow),
    shapeOf: plan.microbatches.shape,
  };
  for (const stage of plan.stages.keys()) {
    for (const shape of plan.shapes.keys()) fillShape(tables, plan, cost, { stage, shape });
    for (const adapter of plan.adapters.keys()) fillAdapter(tables, cost, stage, adapter);
  }
  return tables;
};

const fillShape = (
  tables: CostTables,
  plan: PlanTables,
  cost: CostModel,
  { stage, shape: number }: { readonly stage: number; readonly shape: number },
): void => {
  const shape = plan.shapes[number]!;
  const row = stage * tables.shapeCount + number;
  const transient = cost.transientBytes(stage, shape);
  fillTimes(tables, row, cost.forward(stage, shape));
  fillTimes(tables, tables.backwardRow + row, cost.backward(stage, shape));
  tables.transientBytes[row] = checked(transient.forward, 'transient memory of a forward');
  tables.transientBytes[tables.backwardRow + row] = checked(transient.backward, 'transient memory of a backward');
  tables.activationBytes[row] = checked(cost.activationBytes(stage, shape), 'activations');
};

const fillAdapter = (tables: CostTables, cost: CostModel, stage: number, adapter: number): void => {
  const cell = stage * tables.adapterCount + adapter;
  const held = cost.adapterBytes(stage, adapter);
  fillTimes(tables, tables.stepRow + cell, cost.step(stage, adapter));
  tables.adapterBytes[cell] = checked(held.adapters, 'adapter weights');
  tables.gradientBytes[cell] = checked(held.gradients, 'adapter gradients');
  tables.optimizerBytes[cell] = checked(held.optimizer, 'optimizer state');
};

const fillTimes = (tables: CostTables, row: number, cost: ComputeCost): void => {
  tables.deviceNs[row] = checked(cost.deviceNs, 'device time');
  tables.launchNs[row] = checked(cost.launchNs, 'launch time');
  tables.firstLaunchNs[row] = checked(cost.firstLaunchNs ?? 0, 'first launch time');
};

const checked = (value: number, what: string): number => {
  if (!Number.isFinite(value) || value < 0) throw new RangeError(`${what} of a cost model is ${value}`);
  return Math.round(value);
};

/** Row of an op in the tables. */
export const costRow = (tables: CostTables, kind: number, stage: number, operand: number): number => {
  switch (kind) {
    case KIND.forward:
      return stage * tables.shapeCount + tables.shapeOf[operand]!;
    case KIND.backward:
      return tables.backwardRow + stage * tables.shapeCount + tables.shapeOf[operand]!;
    case KIND.step:
      return tables.stepRow + stage * tables.adapterCount + operand;
    default:
      return tables.zeroRow;
  }
};
