import { execFileSync } from 'node:child_process';

/** A GPU as the NVIDIA driver describes it; `index` counts in the order of the PCI bus. */
export interface NvidiaGpu {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  readonly memoryBytes: number;
  readonly freeBytes: number;
  readonly driver: string;
}

const MIB = 2 ** 20;
const QUERY = 'index,uuid,name,memory.total,memory.free,driver_version';

/** The lines of `nvidia-smi --query-gpu=index,uuid,name,memory.total,memory.free,driver_version --format=csv,noheader,nounits`. */
export const parseNvidiaGpus = (csv: string): readonly NvidiaGpu[] =>
  csv
    .split('\n')
    .map((line) => line.split(',').map((cell) => cell.trim()))
    .filter((cells) => cells.length === QUERY.split(',').length)
    .map(([index, id, name, total, free, driver]) => ({
      index: Number(index),
      id: id!,
      name: name!,
      memoryBytes: Number(total) * MIB,
      freeBytes: Number(free) * MIB,
      driver: driver!,
    }));

/** The GPUs that a process of this environment may use: all of them, or those that CUDA_VISIBLE_DEVICES names, in its order. */
export const visibleGpus = (gpus: readonly NvidiaGpu[], visible: string | undefined): readonly NvidiaGpu[] => {
  if (visible === undefined) return gpus;
  const chosen: NvidiaGpu[] = [];
  for (const name of visible.split(',').map((part) => part.trim())) {
    const gpu = gpus.find(({ index, id }) => String(index) === name || (name.startsWith('GPU-') && id.startsWith(name)));
    // As CUDA reads it: the first name that is none hides all that follow.
    if (gpu === undefined) break;
    chosen.push(gpu);
  }
  return chosen;
};

/** Asks the NVIDIA driver for this machine's GPUs; none where there is no driver. */
export const findNvidiaGpus = (): readonly NvidiaGpu[] => {
  try {
    const answer = execFileSync('nvidia-smi', [`--query-gpu=${QUERY}`, '--format=csv,noheader,nounits'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 20_000,
    });
    return parseNvidiaGpus(answer);
  } catch {
    return [];
  }
};
