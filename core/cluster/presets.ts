import { GIGA, MEGA, nanoseconds } from '../units.ts';
import type { ClusterDescription, InterconnectDescription, NetworkDescription } from './description.ts';
import { GPU_PRESETS } from './gpus.ts';

const MICROSECOND = 1e-6;

/** NCCL's tuning constants (Simple protocol): 8.4 µs to start a transfer, and the second term for a step over the wire. */
const PCIE_LATENCY = nanoseconds((8.4 + 5.7) * MICROSECOND);
const NVLINK_LATENCY = nanoseconds((8.4 + 3.4) * MICROSECOND);

/**
 * Middle of the 12.4-14.3 GB/s all-reduce bus bandwidth that the tensor-parallel throughput of the mLoRA paper
 * (arXiv 2312.02515, Fig. 11 and 12) implies for four A6000.
 */
const A6000_PCIE: InterconnectDescription = { type: 'pcie', bytesPerSecond: 13.4 * GIGA, latencyNs: PCIE_LATENCY };

/** PCIe 4.0 x16 by its specification: 31 GB/s; the network behind it is hundreds of times slower. */
const PCIE_4: InterconnectDescription = { type: 'pcie', bytesPerSecond: 31 * GIGA, latencyNs: PCIE_LATENCY };

/** One direction, NVIDIA data sheets: 600 GB/s of an A100 and 900 GB/s of an H100 count both. */
const A100_NVLINK: InterconnectDescription = { type: 'nvlink', bytesPerSecond: 300 * GIGA, latencyNs: NVLINK_LATENCY };
const H100_NVLINK: InterconnectDescription = { type: 'nvlink', bytesPerSecond: 450 * GIGA, latencyNs: NVLINK_LATENCY };

/** Payload of 1 Gbit/s Ethernet after framing; the latency (a switch, two kernels) is a rough value, to be verified. */
const GIGABIT_ETHERNET: NetworkDescription = { bytesPerSecond: 117 * MEGA, latencyNs: nanoseconds(50 * MICROSECOND) };

/** Sockets inside one machine; rough values until calibrated. */
const LOOPBACK: InterconnectDescription = {
  type: 'loopback',
  bytesPerSecond: GIGA,
  latencyNs: nanoseconds(50 * MICROSECOND),
};

const oneMachine = (
  name: string,
  gpu: string,
  deviceCount: number,
  interconnect: InterconnectDescription | null,
): ClusterDescription => ({
  name,
  machines: [{ name: 'machine0', gpu: GPU_PRESETS.get(gpu)!, deviceCount, interconnect }],
  network: null,
});

const PRESETS: readonly ClusterDescription[] = [
  oneMachine('1xA6000', 'RTX A6000', 1, null),
  oneMachine('4xA6000-pcie', 'RTX A6000', 4, A6000_PCIE),
  oneMachine('8xA6000-pcie', 'RTX A6000', 8, A6000_PCIE),
  {
    name: '8x1-3090-1gbit',
    machines: Array.from({ length: 8 }, (_, index) => ({
      name: `machine${index}`,
      gpu: GPU_PRESETS.get('RTX 3090')!,
      deviceCount: 1,
      interconnect: PCIE_4,
    })),
    network: GIGABIT_ETHERNET,
  },
  oneMachine('8xA100-nvlink', 'A100-80', 8, A100_NVLINK),
  oneMachine('8xH100-nvlink', 'H100', 8, H100_NVLINK),
  oneMachine('2xcpu', 'cpu-wasm', 2, LOOPBACK),
];

/** Clusters known by name. */
export const CLUSTER_PRESETS: ReadonlyMap<string, ClusterDescription> = new Map(
  PRESETS.map((description) => [description.name, description]),
);
