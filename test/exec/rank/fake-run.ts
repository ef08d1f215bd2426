import '@tensorflow/tfjs-backend-cpu';
import { memory, tensor2d, type Tensor2D } from '@tensorflow/tfjs-core';
import * as E from 'fp-ts/lib/Either.js';
import { parseProgram } from '../../../core/plan/text.ts';
import type { Op } from '../../../core/plan/op.ts';
import type { Program, StagePlacement } from '../../../core/plan/plan.ts';
import { createMicrobatchBuilder } from '../../../core/plan/builders.ts';
import type { Execution, Observer } from '../../../exec/rank/execution.ts';
import { createHalt } from '../../../exec/rank/halt.ts';
import { localNs } from '../../../exec/rank/clock.ts';
import { runProgram } from '../../../exec/rank/run-program.ts';
import type { ForwardResult, Stage } from '../../../exec/stage.ts';
import { createMemoryTransports } from '../../../exec/transport/memory-transport.ts';

export const program = (text: string): Program => {
  const parsed = parseProgram(text);
  if (E.isLeft(parsed)) throw new Error(parsed.left[0].message);
  return parsed.right;
};

/** Stage s on device s, one layer each. */
export const straight = (count: number): readonly StagePlacement[] =>
  Array.from({ length: count }, (_, stage) => ({ device: stage, firstLayer: stage, endLayer: stage + 1 }));

const valueOf = (tensor: Tensor2D): number => tensor.dataSync()[0]!;

/**
 * A stage that computes nothing but carries numbers through the pipeline: hidden states of microbatch m leave stage s
 * as 100·m + s, gradients as −(100·m + s), so that every op can tell whether it got what belongs to it.
 */
export const fakeStage = (stage: number, stageCount: number, log: string[]): Stage => ({
  load: ({ index }, initial) => log.push(`${stage}LOAD${index}${initial === undefined ? '' : ' from saved'}`),
  forward: ({ microbatch, parts }, input): ForwardResult => {
    const found = input === null ? null : valueOf(input);
    input?.dispose();
    if (found !== (stage === 0 ? null : 100 * microbatch + stage - 1)) throw new Error(`stage ${stage} took in ${found}`);
    log.push(`${stage}F${microbatch}`);
    const losses = Promise.resolve(parts.map(({ adapter }) => ({ adapter, loss: microbatch })));
    if (stage === stageCount - 1) return { kind: 'loss', losses };
    return { kind: 'hidden', hidden: tensor2d([100 * microbatch + stage], [1, 1]) };
  },
  backward: (microbatch, gradient) => {
    const found = gradient === null ? null : valueOf(gradient);
    gradient?.dispose();
    if (found !== (stage === stageCount - 1 ? null : -(100 * microbatch + stage + 1))) throw new Error(`stage ${stage} took in ${found}`);
    log.push(`${stage}B${microbatch}`);
    return stage === 0 ? null : tensor2d([-(100 * microbatch + stage)], [1, 1]);
  },
  squaredGradientNorm: () => Promise.resolve(4),
  step: (adapter) => log.push(`${stage}STEP${adapter}`),
  weights: (adapter) => Promise.resolve([{ name: `${stage}/${adapter}`, shape: [1], values: Float32Array.of(stage) }]),
  state: (adapter) => Promise.resolve([{ name: `${stage}/${adapter}`, shape: [1], values: Float32Array.of(stage) }]),
  release: (adapter) => log.push(`${stage}RELEASE${adapter}`),
  dispose: () => undefined,
});

export interface RecordedSpan {
  readonly op: Op;
  readonly startNs: number;
  readonly endNs: number;
}

/** What the devices of a fake run did. */
export interface FakeRun {
  readonly spans: readonly (readonly RecordedSpan[])[];
  readonly losses: readonly number[];
  readonly saved: readonly string[];
  /** Tensors left behind. */
  readonly leaked: number;
}

export interface FakeRunOptions {
  readonly programs: readonly Program[];
  readonly placements: readonly StagePlacement[];
  readonly stageOf?: (stage: number) => Stage;
  readonly changes?: Partial<Execution>;
}

/** Runs the programs of all devices at once over the in-memory transport. */
export const runFake = async ({ programs, placements, stageOf, changes }: FakeRunOptions): Promise<FakeRun> => {
  const transports = createMemoryTransports(programs.length);
  const spans = programs.map((): RecordedSpan[] => []);
  const losses: number[] = [];
  const saved: string[] = [];
  const before = memory().numTensors;
  const makeStage = stageOf ?? ((stage) => fakeStage(stage, placements.length, []));
  const zeroNs = localNs();
  const microbatches = createMicrobatchBuilder().build();
  const running = programs.map((each, device) => {
    const observer: Observer = {
      span: (op, startNs, endNs) => spans[device]!.push({ op, startNs, endNs }),
      computed: () => undefined,
      transferred: () => undefined,
      losses: (_, found) => losses.push(...found.map(({ loss }) => loss)),
      checkpoint: () => undefined,
      saved: (stage, adapter) => saved.push(`${stage}/${adapter}`),
      left: () => undefined,
    };
    const own = placements.flatMap((placement, stage) => (placement.device === device ? [stage] : []));
    return runProgram({
      device,
      placements,
      stages: new Map(own.map((stage) => [stage, makeStage(stage)])),
      transport: transports[device]!,
      batchOf: (microbatch) => ({ microbatch, parts: [{ adapter: 0, rows: [], lossScale: 1 }] }),
      startOf: (_, index) => ({
        setup: {
          index,
          name: `adapter${index}`,
          adapter: { type: 'lora', rank: 1, alpha: 1, dropout: 0, targetModules: [] },
          optimizer: {
    type: 'adamw',
    learningRate: 1,
    learningRateRatio: 1,
    maxGradientNorm: null,
    schedule: { type: 'constant', warmup: 0 },
    beta1: 0, beta2: 0, epsilon: 1, weightDecay: 0,
  },
          iterations: 1,
          seed: 0,
        },
      }),
      arrivalsNs: [],
      halt: createHalt(microbatches, [{ first: 0, end: 1 }]),
      isCheckpoint: () => false,
      savedAfter: () => null,
      isEvaluated: () => false,
      clips: () => false,
      now: () => localNs() - zeroNs,
      read: async (tensor) => (await tensor.data()) as Float32Array,
      heldBytes: () => memory().numBytes,
      finish: null,
      observer,
      ...changes,
    }, each);
  });
  const finished = Promise.all(running);
  finished.catch(() => transports.forEach((transport) => transport.close()));
  await Promise.allSettled(running);
  await finished;
  return { spans, losses, saved, leaked: memory().numTensors - before };
};
