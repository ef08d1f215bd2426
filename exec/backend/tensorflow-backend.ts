import type { Candidate } from './candidate.ts';
import { type DeviceInfo, type DeviceRequest, chooseAccelerator } from './device.ts';
import { hostDevice } from './host.ts';
import { type NvidiaGpu, findNvidiaGpus, visibleGpus } from './nvidia.ts';
import { findTensorflow } from './tensorflow-package.ts';
import { type TrackedBinding, loadTfjsNode } from './tfjs-node.ts';

/**
 * Native TensorFlow: CUDA where there is an NVIDIA GPU, else the processor. TensorFlow reads its settings from
 * the environment when its library is loaded; what a user has set there stays.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  // Several ranks may share a GPU: none takes all of its memory.
  TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  // A device of a plan is one core, as on the other backends.
  TF_NUM_INTRAOP_THREADS: '1',
  TF_NUM_INTEROP_THREADS: '1',
  // float32 means float32; 1 lets TensorFlow round to TF32.
  NVIDIA_TF32_OVERRIDE: '0',
  // Indices of GPUs are those of nvidia-smi.
  CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
  // oneDNN compiles each product for its shape, and microbatches of unequal rows rarely have the shape of an earlier one.
  TF_ENABLE_ONEDNN_OPTS: '0',
  // Errors only.
  TF_CPP_MIN_LOG_LEVEL: '2',
};

const setEnvironment = (): void => {
  for (const [name, value] of Object.entries(SETTINGS)) process.env[name] ??= value;
};

/** A process loads TensorFlow once, and keeps the GPU it has shown it. */
let loaded: { readonly tracked: TrackedBinding; readonly gpu: NvidiaGpu | null } | null = null;

/** Shows the process one GPU only, before TensorFlow looks for them. */
const chooseGpu = (request: DeviceRequest): NvidiaGpu | null => {
  const gpus = visibleGpus(findNvidiaGpus(), process.env.CUDA_VISIBLE_DEVICES);
  const chosen = gpus[chooseAccelerator(request, gpus.map(({ name }) => name))] ?? null;
  if (chosen !== null) process.env.CUDA_VISIBLE_DEVICES = chosen.id;
  return chosen;
};

/** Slices of GPUs (MIG) are not in the driver's list: TensorFlow uses them, and no more is known. */
const gpuDevice = (gpu: NvidiaGpu | null, details: DeviceInfo['details']): DeviceInfo => ({
  kind: 'gpu',
  name: gpu?.name ?? 'GPU that nvidia-smi does not list',
  id: gpu?.id ?? null,
  memoryBytes: gpu?.memoryBytes ?? null,
  freeBytes: gpu?.freeBytes ?? null,
  maximumTensorBytes: null,
  details: { ...details, ...(gpu === null ? {} : { driver: gpu.driver }), tf32: process.env.NVIDIA_TF32_OVERRIDE === '0' ? 'off' : 'on' },
});

const describe = (gpu: NvidiaGpu | null, { binding }: TrackedBinding, tensorflow: string): DeviceInfo => {
  const details = { tensorflow: binding.TF_Version, library: tensorflow };
  if (binding.isUsingGpuDevice()) return gpuDevice(gpu, details);
  if (gpu === null) return hostDevice(Number(process.env.TF_NUM_INTRAOP_THREADS), details);
  throw new Error(
    `there is ${gpu.name} with driver ${gpu.driver}, but TensorFlow ${binding.TF_Version} (${tensorflow}) finds no GPU: its build has no CUDA, ` +
      "or its CUDA libraries are missing (pip install 'tensorflow[and-cuda]'), or they need a newer driver; CUDA_VISIBLE_DEVICES=-1 leaves the GPU out",
  );
};

/** The package's JavaScript side with the binding that is built or downloaded. */
export const tensorflowCandidate: Candidate = {
  prepare: async (request) => {
    const found = findTensorflow();
    setEnvironment();
    if (loaded === null) {
      const gpu = chooseGpu(request);
      loaded = { tracked: loadTfjsNode(found), gpu };
    }
    return Promise.resolve(describe(loaded.gpu, loaded.tracked, found.tensorflow));
  },
  reservedBytes: () => process.memoryUsage.rss(),
  dispose: () => loaded?.tracked.freeAll(),
};
