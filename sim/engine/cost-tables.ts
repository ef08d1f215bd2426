import type { ComputeCost, CostModel } from '../../core/cost-model.ts';
import {
  KIND,
  kindName,
  OP_KINDS,
  streamOf,
  subjectOf,
  type CollectiveOpKind,
  type GradientCollectiveKind,
  type MicrobatchCollectiveKind,
  type OpKind,
} from '../../core/plan/op.ts';
import type { Plan } from '../../core/plan/plan.ts';

/**
 * Costs of a plan's ops, asked for once and rounded to whole nanoseconds and bytes. A row stands for all ops with the
 * same cost: first the forwards by stage · shapeCount + shape, then the backwards and the two halves of split ones, then
 * the steps by stage · adapterCount + adapter, last one row of zeros for everything else.
 */
export interface CostTables {
  readonly shapeCount: number;
  readonly adapterCount: number;
  readonly backwardRow: number;
  readonly backwardInputRow: number;
  readonly backwardWeightRow: number;
  readonly stepRow: number;
  readonly zeroRow: number;
  readonly deviceNs: Float64Array;
  readonly launchNs: Float64Array;
  readonly firstLaunchNs: Float64Array;
  readonly transientBytes: Float64Array;
  /** By stage · shapeCount + shape. */
  readonly activationBytes: Float64Array;
  readonly activationRoundingBytes: Float64Array;
  /** Across the boundary behind a stage, by stage · shapeCount + shape. */
  readonly transferBytes: Float64Array;
  /** By stage · adapterCount + adapter. */
  readonly adapterBytes: Float64Array;
  readonly gradientBytes: Float64Array;
  readonly optimizerBytes: Float64Array;
  readonly adapterRoundingBytes: Float64Array;
  /** By collective row. */
  readonly collectiveBytes: Float64Array;
  readonly collectiveCalls: Float64Array;
  readonly collectiveBufferBytes: Float64Array;
  /** First collective row of each kind; −1 for a kind that the plan does not have. */
  readonly collectiveStart: Int32Array;
  /** By stage. */
  readonly gatheredBytes: Float64Array;
  /** Whether the plan gathers weights, and whether it does so a second time for the backward. */
  readonly gathers: boolean;
  readonly gathersAgain: boolean;
  /** Shape of each microbatch. */
  readonly shapeOf: Uint32Array;
}

/** Asks the cost model about every stage, shape and adapter; throws on a cost that is no finite number from 0 up. */
export const tabulateCosts = (plan: Plan, cost: CostModel): CostTables => {
  const shapeCount = plan.shapes.length;
  const adapterCount = plan.adapters.length;
  const has = (kind: number): boolean => plan.programs.some((program) => program.kind.includes(kind));
  const passRows = plan.stages.length * shapeCount;
  const isSplit = has(KIND.backwardInput);
  const stepRow = (isSplit ? 4 : 2) * passRows;
  const zeroRow = stepRow + plan.stages.length * adapterCount;
  const column = (): Float64Array => new Float64Array(zeroRow + 1);
  const tables: CostTables = {
    shapeCount,
    adapterCount,
    backwardRow: passRows,
    backwardInputRow: 2 * passRows,
    backwardWeightRow: 3 * passRows,
    stepRow,
    zeroRow,
    deviceNs: column(),
    launchNs: column(),
    firstLaunchNs: column(),
    transientBytes: column(),
    activationBytes: new Float64Array(passRows),
    activationRoundingBytes: new Float64Array(passRows),
    transferBytes: new Float64Array(passRows),
    adapterBytes: new Float64Array(zeroRow - stepRow),
    gradientBytes: new Float64Array(zeroRow - stepRow),
    optimizerBytes: new Float64Array(zeroRow - stepRow),
    adapterRoundingBytes: new Float64Array(zeroRow - stepRow),
    ...tabulateCollectives(plan, cost, has),
    gatheredBytes: Float64Array.from(plan.stages, (_, stage) => checked(cost.gatheredBytes(stage), 'gathered weights')),
    gathers: has(KIND.allGatherForward),
    gathersAgain: has(KIND.allGatherBackward),
    shapeOf: plan.microbatches.shape,
  };
  for (const stage of plan.stages.keys()) {
    for (const shape of plan.shapes.keys()) fillShape(tables, plan, cost, { stage, shape, isSplit });
    for (const adapter of plan.adapters.keys()) fillAdapter(tables, cost, stage, adapter);
  }
  return tables;
};

const fillShape = (
  tables: CostTables,
  plan: Plan,
  cost: CostModel,
  { stage, shape: number, isSplit }: { readonly stage: number; readonly shape: number; readonly isSplit: boolean },
): void => {
  const shape = plan.shapes[number]!;
  const row = stage * tables.shapeCount + number;
  const transient = cost.transientBytes(stage, shape);
  fillTimes(tables, row, cost.forward(stage, shape));
  fillTimes(tables, tables.backwardRow + row, cost.backward(stage, shape));
  tables.transientBytes[row] = checked(transient.forward, 'transient memory of a forward');
  tables.transientBytes[tables.backwardRow + row] = checked(transient.backward, 'transient memory of a backward');
  if (isSplit) {
    fillTimes(tables, tables.backwardInputRow + row, cost.backwardInput(stage, shape));
    fillTimes(tables, tables.backwardWeightRow + row, cost.backwardWeight(stage, shape));
    tables.transientBytes[tables.backwardInputRow + row] = tables.transientBytes[tables.backwardRow + row]!;
  }
  tables.activationBytes[row] = checked(cost.activationBytes(stage, shape), 'activations');
  tables.activationRoundingBytes[row] = checked(cost.rounding?.activationBytes(stage, shape) ?? 0, 'rounding of activations');
  tables.transferBytes[row] = checked(cost.transferBytes(stage, shape), 'transfer');
};

const fillAdapter = (tables: CostTables, cost: CostModel, stage: number, adapter: number): void => {
  const cell = stage * tables.adapterCount + adapter;
  const held = cost.adapterBytes(stage, adapter);
  fillTimes(tables, tables.stepRow + cell, cost.step(stage, adapter));
  tables.adapterBytes[cell] = checked(held.adapters, 'adapter weights');
  tables.gradientBytes[cell] = checked(held.gradients, 'adapter gradients');
  tables.optimizerBytes[cell] = checked(held.optimizer, 'optimizer state');
  tables.adapterRoundingBytes[cell] = checked(cost.rounding?.adapterBytes(stage, adapter) ?? 0, 'rounding of adapters');
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

type CollectiveTables = Pick<CostTables, 'collectiveBytes' | 'collectiveCalls' | 'collectiveBufferBytes' | 'collectiveStart'>;

const isCollectiveKind = (kind: OpKind): kind is CollectiveOpKind => streamOf(kind) === 'collective';

/** Collective rows: for each kind the plan has, by stage · shapes + shape, or by stage · adapters + adapter. */
const tabulateCollectives = (plan: Plan, cost: CostModel, has: (kind: number) => boolean): CollectiveTables => {
  const bytes: number[] = [];
  const calls: number[] = [];
  const buffers: number[] = [];
  const collectiveStart = new Int32Array(OP_KINDS.length).fill(-1);
  for (const kind of OP_KINDS.filter(isCollectiveKind)) {
    if (!has(KIND[kind])) continue;
    collectiveStart[KIND[kind]] = bytes.length;
    for (const stage of plan.stages.keys()) {
      const costs =
        subjectOf(kind) === 'microbatch'
          ? plan.shapes.map((shape) => cost.microbatchCollective(kind as MicrobatchCollectiveKind, stage, shape))
          : plan.adapters.map((_, adapter) => cost.gradientCollective(kind as GradientCollectiveKind, stage, adapter));
      bytes.push(...costs.map((each) => checked(each.bytes, kind)));
      calls.push(...costs.map((each) => checked(each.calls, kind)));
      buffers.push(...costs.map((each) => checked(each.bufferBytes ?? 0, kind)));
    }
  }
  return {
    collectiveBytes: Float64Array.from(bytes),
    collectiveCalls: Float64Array.from(calls),
    collectiveBufferBytes: Float64Array.from(buffers),
    collectiveStart,
  };
};

/** Row of a collective in its tables. */
export const collectiveRow = (tables: CostTables, kind: number, stage: number, operand: number): number => {
  const start = tables.collectiveStart[kind]!;
  return subjectOf(kindName(kind)) === 'microbatch'
    ? start + stage * tables.shapeCount + tables.shapeOf[operand]!
    : start + stage * tables.adapterCount + operand;
};

/** Row of an op in the tables. */
export const costRow = (tables: CostTables, kind: number, stage: number, operand: number): number => {
  switch (kind) {
    case KIND.forward:
      return stage * tables.shapeCount + tables.shapeOf[operand]!;
    case KIND.backward:
      return tables.backwardRow + stage * tables.shapeCount + tables.shapeOf[operand]!;
    case KIND.backwardInput:
      return tables.backwardInputRow + stage * tables.shapeCount + tables.shapeOf[operand]!;
    case KIND.backwardWeight:
      return tables.backwardWeightRow + stage * tables.shapeCount + tables.shapeOf[operand]!;
    case KIND.step:
      return tables.stepRow + stage * tables.adapterCount + operand;
    default:
      return tables.zeroRow;
  }
};

/** Bytes of a microbatch across the boundary between two neighbouring stages. */
export const boundaryBytes = ({ transferBytes, shapeCount, shapeOf }: CostTables, stage: number, neighbour: number, microbatch: number): number =>
  transferBytes[Math.min(stage, neighbour) * shapeCount + shapeOf[microbatch]!]!;
