/** When a run takes and returns which class of memory; the ledger keeps the books. */
import { MEMORY_CLASS, MEMORY_CLASSES, residentBytesOf, type CostModel } from '../../core/cost-model.ts';
import { KIND, STREAM } from '../../core/plan/op.ts';
import { opAt } from '../../core/plan/plan.ts';
import { formatOp } from '../../core/plan/text.ts';
import { boundaryBytes, costRow } from './cost-tables.ts';
import { programOf, STREAM_COUNT, streamId, type Engine } from './engine.ts';
import { changeHeld, missingBytes } from './ledger.ts';

/** What is there before the first op: frozen weights, one context per process, adapters that are trained but never loaded. */
export const holdResident = (engine: Engine, cost: CostModel): void => {
  const { plan } = engine;
  for (const device of plan.devices.keys()) {
    const stream = streamId(device, STREAM.compute);
    const { context, baseWeights, quantization } = residentBytesOf(cost, plan.stages, device);
    changeMemory(engine, stream, MEMORY_CLASS.context, Math.round(context));
    changeMemory(engine, stream, MEMORY_CLASS.baseWeights, Math.round(baseWeights));
    changeMemory(engine, stream, MEMORY_CLASS.quantization, Math.round(quantization));
  }
  const loaded = findAdapters(engine, KIND.load);
  for (const [cell, isTrained] of findAdapters(engine, KIND.step).entries()) {
    if (isTrained === 1 && loaded[cell] === 0) takeAdapter(engine, cell, 1);
  }
};

/** Which stage · adapters + adapter cells have an op of a kind: 1 or 0. */
const findAdapters = ({ plan }: Engine, wanted: number): Uint8Array => {
  const found = new Uint8Array(plan.stages.length * plan.adapters.length);
  for (const { length, kind, stage, operand } of plan.programs) {
    for (let at = 0; at < length; at++) {
      if (kind[at] === wanted) found[stage[at]! * plan.adapters.length + operand[at]!] = 1;
    }
  }
  return found;
};

/** Takes (sign 1) or returns (sign −1) an adapter's state on a stage. */
const takeAdapter = (engine: Engine, cell: number, sign: 1 | -1): void => {
  const { adapterBytes, gradientBytes, optimizerBytes, adapterRoundingBytes, adapterCount } = engine.costs;
  const stream = streamId(engine.deviceOfStage[Math.floor(cell / adapterCount)]!, STREAM.compute);
  changeMemory(engine, stream, MEMORY_CLASS.adapters, sign * adapterBytes[cell]!);
  changeMemory(engine, stream, MEMORY_CLASS.gradients, sign * gradientBytes[cell]!);
  changeMemory(engine, stream, MEMORY_CLASS.optimizer, sign * optimizerBytes[cell]!);
  changeMemory(engine, stream, MEMORY_CLASS.allocator, sign * adapterRoundingBytes[cell]!);
};

/**
 * What a compute op takes when it starts: a forward its activations, both passes their temporaries, a load the
 * adapter's state. The buffer in which a pass's input arrived goes over into the op.
 */
export const takeForCompute = (engine: Engine, device: number, position: number): void => {
  const program = programOf(engine, device);
  const stream = streamId(device, STREAM.compute);
  const { costs } = engine;
  const kind = program.kind[position]!;
  const stage = program.stage[position]!;
  const operand = program.operand[position]!;
  if (kind === KIND.load) takeAdapter(engine, stage * costs.adapterCount + operand, 1);
  if (!isPass(kind)) return;
  const input = crossingBytes(engine, operand, stage, (kind === KIND.forward ? engine.neighbours.previous : engine.neighbours.next)[stage]!);
  changeMemory(engine, stream, MEMORY_CLASS.communication, -input);
  if (kind === KIND.forward && engine.plan.microbatches.forwardOnly[operand] === 0) {
    const row = costRow(costs, kind, stage, operand);
    changeMemory(engine, stream, MEMORY_CLASS.activations, costs.activationBytes[row]!);
    changeMemory(engine, stream, MEMORY_CLASS.allocator, costs.activationRoundingBytes[row]!);
  }
  changeMemory(engine, stream, MEMORY_CLASS.transient, costs.transientBytes[costRow(costs, kind, stage, operand)]!);
};

/** What it returns when it ends; a result for another device stays until its transfer ends. */
export const returnAfterCompute = (engine: Engine, device: number, position: number): void => {
  const program = programOf(engine, device);
  const stream = streamId(device, STREAM.compute);
  const { costs } = engine;
  const kind = program.kind[position]!;
  const stage = program.stage[position]!;
  const operand = program.operand[position]!;
  if (kind === KIND.release) takeAdapter(engine, stage * costs.adapterCount + operand, -1);
  if (returnsGathered(engine, kind, operand)) {
    changeMemory(engine, stream, MEMORY_CLASS.baseWeights, -costs.gatheredBytes[stage]!);
  }
  if (kind === KIND.backward || kind === KIND.backwardWeight) {
    const row = costRow(costs, KIND.forward, stage, operand);
    changeMemory(engine, stream, MEMORY_CLASS.activations, -costs.activationBytes[row]!);
    changeMemory(engine, stream, MEMORY_CLASS.allocator, -costs.activationRoundingBytes[row]!);
  }
  if (!isPass(kind)) return;
  changeMemory(engine, stream, MEMORY_CLASS.transient, -costs.transientBytes[costRow(costs, kind, stage, operand)]!);
  const output = crossingBytes(engine, operand, stage, (kind === KIND.forward ? engine.neighbours.next : engine.neighbours.previous)[stage]!);
  changeMemory(engine, stream, MEMORY_CLASS.communication, output);
};

/** Passes that take an input from a neighbouring stage and hand a result to another. */
const isPass = (kind: number): boolean => kind === KIND.forward || kind === KIND.backward || kind === KIND.backwardInput;

/** Gathered weights go after the pass they were gathered for: kept from forward to backward where they are gathered once. */
const returnsGathered = ({ costs, plan }: Engine, kind: number, operand: number): boolean => {
  if (!costs.gathers) return false;
  if (kind === KIND.forward) return costs.gathersAgain || plan.microbatches.forwardOnly[operand] === 1;
  return kind === KIND.backward || kind === KIND.backwardWeight;
};

/** Bytes of a microbatch between two neighbouring stages; 0 where there is no such stage or both share a device. */
const crossingBytes = (engine: Engine, microbatch: number, stage: number, neighbour: number): number => {
  const { deviceOfStage, costs } = engine;
  if (neighbour < 0) return 0;
  if (deviceOfStage[stage] === deviceOfStage[neighbour]) return 0;
  return boundaryBytes(costs, stage, neighbour, microbatch);
};

/**
 * Takes bytes of a class for the op at a stream's position, or returns them where negative; notes the first excess over
 * a device's capacity.
 */
export const changeMemory = (engine: Engine, stream: number, memoryClass: number, bytes: number): void => {
  if (bytes === 0) return;
  const device = Math.floor(stream / STREAM_COUNT);
  changeHeld(engine.ledger, device, memoryClass, bytes);
  if (bytes < 0 || engine.outOfMemory !== null || missingBytes(engine.ledger, device) <= 0) return;
  const isBeforeFirstOp = engine.spans.length === 0;
  engine.outOfMemory = {
    device,
    memoryClass: MEMORY_CLASSES[memoryClass]!,
    missingBytes: missingBytes(engine.ledger, device),
    timeNs: engine.queue.nowNs,
    op: isBeforeFirstOp ? 'start' : formatOp(opAt(programOf(engine, device), engine.position[stream]!)),
  };
};
