import type { Tensor2D } from '@tensorflow/tfjs-core';
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { formatBytes } from '../../core/units.ts';
import type { Adapter } from '../../core/job.ts';
import type { StagePlacement } from '../../core/plan/plan.ts';
import { parameterLayout } from '../adapter/parameter-layout.ts';
import type { Backend, BackendName } from '../backend/backend.ts';
import type { DeviceInfo } from '../backend/device.ts';
import { openBackend } from '../backend/open-backend.ts';
import { openCheckpoint, type Checkpoint } from '../checkpoint/checkpoint.ts';
import { stageTensors } from '../checkpoint/model-tensors.ts';
import type { ExecError } from '../exec-error.ts';
import { createStage } from '../model/create-stage.ts';
import type { Stage } from '../stage.ts';
import type { RankSetup } from './messages.ts';
import { ownStages } from './session.ts';

/** A rank's stages with the backend that holds them. */
export interface Engine {
  readonly backend: BackendName;
  readonly device: DeviceInfo;
  /** Why other backends were not taken. */
  readonly rejected: readonly string[];
  readonly stages: ReadonlyMap<number, Stage>;
  /** Bytes of the frozen weights of all its stages. */
  readonly baseBytes: number;
  /** Size of an adapter's trained matrices on a stage. */
  readonly parameterBytes: (stage: number, adapter: Adapter) => number;
  readonly read: (tensor: Tensor2D) => Promise<Float32Array>;
  readonly finish: (() => Promise<void>) | null;
  readonly heldBytes: () => number;
  readonly dispose: () => void;
}

const layersOf = ({ firstLayer, endLayer }: StagePlacement) => ({ first: firstLayer, end: endLayer });

/** Weights of the rank's stages that do not fit into one buffer of its device, a sentence each. */
const oversizedTensors = ({ model, placements, rank }: RankSetup, { name, maximumTensorBytes }: DeviceInfo): string[] => {
  const limit = maximumTensorBytes ?? Infinity;
  return ownStages(placements, rank)
    .flatMap((stage) => stageTensors(model, layersOf(placements[stage]!)))
    .map(([tensor, shape]) => [tensor, shape.reduce((size, length) => size * length, Float32Array.BYTES_PER_ELEMENT)] as const)
    .filter(([, size]) => size > limit)
    .map(([tensor, size]) => `${name} takes tensors of ${formatBytes(limit)} at most; ${tensor} has ${formatBytes(size)}`);
};

const openStages = async (
  setup: RankSetup,
  source: Checkpoint,
  backend: Backend,
): Promise<E.Either<ExecError, ReadonlyMap<number, Stage>>> => {
  const stages = new Map<number, Stage>();
  for (const stage of ownStages(setup.placements, setup.rank)) {
    const { firstLayer, endLayer, recompute = false } = setup.placements[stage]!;
    const created = await createStage({ model: setup.model, source, backend, firstLayer, endLayer, recompute });
    if (E.isLeft(created)) return E.left({ kind: 'badInput', files: [{ file: setup.modelFolder, problems: created.left }] });
    stages.set(stage, created.right);
  }
  return E.right(stages);
};

const assembleEngine = (setup: RankSetup, backend: Backend, stages: ReadonlyMap<number, Stage>, baseBytes: number): Engine => ({
  backend: backend.name,
  device: backend.device,
  rejected: backend.rejected,
  stages,
  baseBytes,
  parameterBytes: (stage, adapter) => {
    const layout = parameterLayout(setup.model, layersOf(setup.placements[stage]!), adapter);
    return layout.size * Float32Array.BYTES_PER_ELEMENT;
  },
  read: backend.read,
  finish: backend.finish,
  heldBytes: () => backend.memory().tensorBytes,
  dispose: () => {
    for (const stage of stages.values()) stage.dispose();
  },
});

/** Opens the tensor backend and loads the layers of the rank's stages from the model folder. */
export const openEngine = async (setup: RankSetup): Promise<E.Either<ExecError, Engine>> => {
  const backend = await openBackend(setup.backend, setup.device);
  if (E.isLeft(backend)) return E.left({ kind: 'backendUnavailable', backend: setup.backend, reasons: backend.left });
  const tooLarge = oversizedTensors(setup, backend.right.device);
  if (isNonEmpty(tooLarge)) return E.left({ kind: 'backendUnavailable', backend: backend.right.name, reasons: tooLarge });
  const source = await openCheckpoint(setup.modelFolder);
  if (E.isLeft(source)) return E.left({ kind: 'badInput', files: [{ file: setup.modelFolder, problems: source.left }] });
  const before = backend.right.memory().tensorBytes;
  try {
    const stages = await openStages(setup, source.right, backend.right);
    const baseBytes = backend.right.memory().tensorBytes - before;
    return E.map((opened: ReadonlyMap<number, Stage>) => assembleEngine(setup, backend.right, opened, baseBytes))(stages);
  } finally {
    await source.right.close();
  }
};
