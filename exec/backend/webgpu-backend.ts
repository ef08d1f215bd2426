import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Candidate } from './candidate.ts';
import { type DeviceInfo, chooseAccelerator } from './device.ts';

/*
 * WebGPU in Node: Dawn, Chromium's implementation, over Vulkan, Metal or Direct3D 12. The tensor code is the browser's.
 */

/** Limits that tensor programs depend on; a device has the lowest ones unless it is asked for more. */
const LIMITS = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
] as const;

/**
 * Dawn writes warnings to the terminal where the system's Vulkan loader or its drivers are missing, so it is asked only
 * where both are. Throws what is missing.
 */
const checkVulkan = (): void => {
  if (process.platform !== 'linux') return;
  const own = (process.env.LD_LIBRARY_PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  if (![...own, ...LOADER_FOLDERS].some((folder) => existsSync(join(folder, 'libvulkan.so.1')))) {
    throw new Error('there is no Vulkan loader, libvulkan.so.1 (Debian: apt-get install libvulkan1), and so no way to a GPU');
  }
  const named = DRIVER_VARIABLES.some((name) => process.env[name] !== undefined);
  if (!named && !driverFolders().some((folder) => existsSync(folder) && readdirSync(folder).length > 0)) {
    throw new Error('there is no Vulkan driver: a GPU needs the one of its maker, a software renderer is named in VK_DRIVER_FILES');
  }
};

const LOADER_FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib', '/usr/local/lib', '/lib64'];

/** Variables in which the loader finds drivers besides its folders. */
const DRIVER_VARIABLES = ['VK_DRIVER_FILES', 'VK_ADD_DRIVER_FILES', 'VK_ICD_FILENAMES', 'XDG_DATA_DIRS', 'XDG_CONFIG_DIRS'];

const driverFolders = (): readonly string[] =>
  ['/etc', '/usr/share', '/usr/local/share', '/usr/local/etc', join(homedir(), '.local/share')].map((folder) => join(folder, 'vulkan/icd.d'));

/** Dawn in this process; it must not be collected while a device of it lives. */
let gpu: GPU | null = null;
let device: GPUDevice | null = null;

const openGpu = async (): Promise<GPU> => {
  if (gpu !== null) return gpu;
  checkVulkan();
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  // MLORA_WEBGPU_ADAPTER is part of an adapter's name, where there are several.
  const adapter = process.env.MLORA_WEBGPU_ADAPTER;
  gpu = create(adapter === undefined ? [] : [`adapter=${adapter}`]);
  Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
  return gpu;
};

const describe = ({ info, limits, features }: GPUAdapter): DeviceInfo => ({
  kind: info.isFallbackAdapter ? 'cpu' : 'gpu',
  name: info.description === '' ? `${info.vendor} ${info.device}` : info.description,
  id: null,
  memoryBytes: null,
  freeBytes: null,
  maximumTensorBytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
  details: {
    vendor: info.vendor,
    architecture: info.architecture,
    features: ['shader-f16', 'subgroups'].filter((name) => features.has(name)).join(' '),
    ...Object.fromEntries(LIMITS.map((name) => [name, limits[name]])),
  },
});

const openDevice = async (adapter: GPUAdapter): Promise<void> => {
  device = await adapter.requestDevice({ requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])) });
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  const [opened, { info }] = [device, adapter];
  // The package registers a factory of its own, which chooses for itself.
  tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => new WebGPUBackend(opened, info), 3);
};

/** The first adapter that Dawn offers; software renderers only where this backend is asked for by name. */
export const webgpuCandidate: Candidate = {
  prepare: async (request) => {
    const adapter = await (await openGpu()).requestAdapter({ powerPreference: 'high-performance' });
    const names = adapter === null ? [] : [describe(adapter).name];
    if (adapter === null) throw new Error('WebGPU finds no adapter');
    chooseAccelerator({ ...request, localRank: 0 }, names);
    await openDevice(adapter);
    // Small tensors would be computed on the host now and then, by whether their values are still there.
    tf.env().set('WEBGPU_CPU_FORWARD', false);
    return describe(adapter);
  },
  unwanted: ({ kind, name }) => (kind === 'gpu' ? null : `its only adapter is ${name}, which renders in software and is slower than wasm; --backend webgpu takes it`),
  reservedBytes: () => (tf.backend() as unknown as { memory: () => { numBytesAllocatedInGPU: number } }).memory().numBytesAllocatedInGPU,
  dispose: () => device?.destroy(),
};
