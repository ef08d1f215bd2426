import { describe, expect, test } from 'vitest';
import { chooseAccelerator } from '../../../exec/backend/device.ts';
import { parseNvidiaGpus, visibleGpus } from '../../../exec/backend/nvidia.ts';
import { requestDevices } from '../../../exec/run/devices.ts';
import { CLUSTER_PRESETS } from '../../../core/cluster/presets.ts';

/** As nvidia-smi prints it. */
const ANSWER = `0, GPU-1a2b, NVIDIA A100-SXM4-80GB, 81920, 80995, 550.54.15
1, GPU-3c4d, NVIDIA A100-SXM4-80GB, 81920, 40000, 550.54.15
`;

describe('GPUs that the NVIDIA driver names', () => {
  const gpus = parseNvidiaGpus(ANSWER);

  test('have name, id, driver, and memory in bytes', () => {
    expect(gpus).toHaveLength(2);
    expect(gpus[1]).toEqual({
      index: 1,
      id: 'GPU-3c4d',
      name: 'NVIDIA A100-SXM4-80GB',
      memoryBytes: 80 * 2 ** 30,
      freeBytes: 40_000 * 2 ** 20,
      driver: '550.54.15',
    });
    expect(parseNvidiaGpus('No devices were found\n')).toEqual([]);
  });

  test.each([
    [undefined, [0, 1]],
    ['1', [1]],
    ['1,0', [1, 0]],
    ['GPU-3c', [1]],
    ['-1', []],
    ['', []],
    ['0,7,1', [0]],
  ])('are visible by CUDA_VISIBLE_DEVICES=%s as CUDA reads it', (visible, expected) => {
    expect(visibleGpus(gpus, visible).map(({ index }) => index)).toEqual(expected);
  });
});

describe('a rank', () => {
  const names = ['A100', 'T4'];

  test('takes the accelerator of its wish, else the next by turns', () => {
    expect(chooseAccelerator({ accelerator: 1, localRank: 0 }, names)).toBe(1);
    expect([0, 1, 2].map((localRank) => chooseAccelerator({ accelerator: null, localRank }, names))).toEqual([0, 1, 0]);
    expect(chooseAccelerator({ accelerator: null, localRank: 3 }, [])).toBe(0);
  });

  test('is told which accelerators there are when its own is not there', () => {
    expect(() => chooseAccelerator({ accelerator: 2, localRank: 0 }, names)).toThrow('accelerator 2 was asked for, but there are 2: A100, T4');
    expect(() => chooseAccelerator({ accelerator: 0, localRank: 0 }, [])).toThrow('accelerator 0 was asked for, but there is none');
  });

  test('counts among the ranks of its own machine', () => {
    const [machine] = CLUSTER_PRESETS.get('2xcpu')!.machines;
    const requests = requestDevices({ machines: [{ ...machine!, accelerators: [1, 1] }, machine!] });
    expect(requests).toEqual([
      { accelerator: 1, localRank: 0 },
      { accelerator: 1, localRank: 1 },
      { accelerator: null, localRank: 0 },
      { accelerator: null, localRank: 1 },
    ]);
  });
});
