/**
 * Links of a cluster. Every device has one link out of it and one into it, which all its transfers inside the machine
 * share: PCIe up and down, or NVLink's egress and ingress. Every machine has one link out to the network and one in.
 * The way to the network leads over PCIe but not over NVLink. Without peer-to-peer all transfers inside a machine also
 * share its host memory, which holds half as many bytes a second as it copies: each comes in and goes out. Outgoing links
 * carry the latency, so a transfer pays it once.
 */
import { isNonEmpty } from 'fp-ts/lib/Array.js';
import * as E from 'fp-ts/lib/Either.js';
import { problem, type Problem, type Problems } from '../problem.ts';
import type { Nanoseconds } from '../units.ts';
import type { Cluster, Device, Link, LinkTechnology } from './cluster.ts';
import type { ClusterDescription, InterconnectType, MachineDescription } from './description.ts';

/** Index of the outgoing and of the incoming link. */
interface LinkPair {
  readonly out: number;
  readonly in: number;
}

interface DeviceEnds {
  readonly machine: number;
  readonly interconnect: InterconnectType | null;
  readonly links: LinkPair | null;
}

const LINK_NAMES: Readonly<Record<InterconnectType, readonly [out: string, into: string]>> = {
  pcie: ['PCIe up', 'PCIe down'],
  nvlink: ['NVLink egress', 'NVLink ingress'],
  loopback: ['loopback out', 'loopback in'],
};

const TECHNOLOGIES: Readonly<Record<InterconnectType, LinkTechnology | undefined>> = { pcie: 'pcie', nvlink: 'nvlink', loopback: undefined };

const NO_LATENCY = 0 as Nanoseconds;
const LARGEST_CLUSTER = 1024;

const addPair = (
  links: Link[],
  names: readonly [out: string, into: string],
  { bytesPerSecond, latencyNs }: { readonly bytesPerSecond: number; readonly latencyNs: Nanoseconds },
  technology?: LinkTechnology,
): LinkPair => {
  const kind = technology === undefined ? {} : { technology };
  links.push({ name: names[0], bytesPerSecond, latencyNs, ...kind });
  links.push({ name: names[1], bytesPerSecond, latencyNs: NO_LATENCY, ...kind });
  return { out: links.length - 2, in: links.length - 1 };
};

const nameDevices = ({ machines }: ClusterDescription): Device[] =>
  machines.flatMap(({ name, gpu, deviceCount }, machine) =>
    Array.from({ length: deviceCount }, (_, index) => ({
      name: machines.length === 1 ? `device${index}` : `${name}/device${index}`,
      gpu,
      machine,
    })),
  );

const linkDevices = (
  devices: readonly Device[],
  machines: readonly MachineDescription[],
  links: Link[],
): DeviceEnds[] =>
  devices.map(({ name, machine }) => {
    const interconnect = machines[machine]!.interconnect;
    if (interconnect === null) return { machine, interconnect, links: null };
    const [out, into] = LINK_NAMES[interconnect.type];
    return {
      machine,
      interconnect: interconnect.type,
      links: addPair(links, [`${name} ${out}`, `${name} ${into}`], interconnect, TECHNOLOGIES[interconnect.type]),
    };
  });

const linkMachines = ({ machines, network }: ClusterDescription, links: Link[]): LinkPair[] =>
  network === null || machines.length === 1
    ? []
    : machines.map(({ name }) => addPair(links, [`${name} network up`, `${name} network down`], network, 'network'));

/** Link through the host memory of every machine that needs it. */
const linkHosts = ({ machines }: ClusterDescription, links: Link[]): (number | null)[] =>
  machines.map(({ name, interconnect, deviceCount }) => {
    const copied = interconnect?.hostBytesPerSecond;
    if (copied === undefined || deviceCount < 2) return null;
    return links.push({ name: `${name} host memory`, bytesPerSecond: copied / 2, latencyNs: NO_LATENCY }) - 1;
  });

interface SharedLinks {
  readonly hosts: readonly (number | null)[];
  readonly machines: readonly LinkPair[];
}

const route = (from: DeviceEnds, to: DeviceEnds, { hosts, machines }: SharedLinks): number[] => {
  if (from === to) return [];
  if (from.machine === to.machine) {
    const host = hosts[from.machine] ?? null;
    return [from.links!.out, ...(host === null ? [] : [host]), to.links!.in];
  }
  const up = from.interconnect === 'pcie' ? [from.links!.out] : [];
  const down = to.interconnect === 'pcie' ? [to.links!.in] : [];
  return [...up, machines[from.machine]!.out, machines[to.machine]!.in, ...down];
};

const findProblems = ({ machines, network }: ClusterDescription): Problem[] => {
  const problems: Problem[] = [];
  const deviceCount = machines.reduce((sum, machine) => sum + machine.deviceCount, 0);
  if (deviceCount < 1 || deviceCount > LARGEST_CLUSTER) {
    problems.push(problem('machines', `have ${deviceCount} devices; expected 1 to ${LARGEST_CLUSTER}`));
  }
  if (machines.length > 1 && network === null) {
    problems.push(problem('network', `is missing; nothing connects the ${machines.length} machines`));
  }
  machines.forEach(({ name, deviceCount: count, interconnect, accelerators }, index) => {
    if (count > 1 && interconnect === null) {
      problems.push(problem(`machines[${index}].interconnect`, `is missing; nothing connects the ${count} devices`));
    }
    if (interconnect !== null && interconnect.type !== 'pcie' && interconnect.hostBytesPerSecond !== undefined) {
      problems.push(problem(`machines[${index}].interconnect.hostMemory`, `is for pcie; ${interconnect.type} has its own way`));
    }
    if (accelerators !== undefined && accelerators.length !== count) {
      problems.push(problem(`machines[${index}].accelerators`, `has ${accelerators.length} entries; expected one for each of the ${count} devices`));
    }
    if (machines.findIndex((machine) => machine.name === name) < index) {
      problems.push(problem(`machines[${index}].name`, `is ${JSON.stringify(name)}, the name of another machine`));
    }
  });
  return problems;
};

/** Devices, links and routes of a described cluster. Left: its links do not connect the devices, or names collide. */
export const buildCluster = (description: ClusterDescription): E.Either<Problems, Cluster> => {
  const problems = findProblems(description);
  if (isNonEmpty(problems)) return E.left(problems);
  const devices = nameDevices(description);
  const links: Link[] = [];
  const ends = linkDevices(devices, description.machines, links);
  const shared = { hosts: linkHosts(description, links), machines: linkMachines(description, links) };
  const routes = ends.map((from) => ends.map((to) => route(from, to, shared)));
  return E.right({ name: description.name, devices, links, routes });
};
