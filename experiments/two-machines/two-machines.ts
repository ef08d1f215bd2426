import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../package-root.ts';

/*
 * Two machines inside this one, as network namespaces with a cable between them. Needs root, iproute2 and, for a cable with a
 * latency, Python and /dev/net/tun.
 */

export interface Cable {
  readonly bitsPerSecond: number;
  /** One way. */
  readonly latencySeconds: number;
}

export interface TwoMachines {
  readonly addresses: readonly [string, string];
  /** Starts a program on machine 0 or 1; its output can be read unless `env` says nothing about it. */
  readonly start: (machine: 0 | 1, command: readonly string[], env?: Readonly<Record<string, string>>) => ChildProcess;
  readonly pullCable: () => void;
  readonly plugCable: () => void;
  /** Ends the machines with everything that runs on them. */
  readonly close: () => Promise<void>;
}

const ADDRESSES = ['10.213.77.1', '10.213.77.2'] as const;
const LARGEST_PACKET = 65_000;

const ip = (...words: readonly string[]): void => void execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });

/** Why this process may not have network namespaces; null where it may. */
export const whyNoNamespaces = (): string | null => {
  const name = `mlora-probe-${process.pid}`;
  try {
    ip('netns', 'add', name);
    ip('netns', 'delete', name);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message.trim() : String(error);
  }
};

/** Two ends whose packets a process of its own holds back; returns how to end it. */
const openDelayLine = async (devices: readonly [string, string], { latencySeconds }: Cable): Promise<() => Promise<void>> => {
  const script = join(PACKAGE_ROOT, 'experiments/two-machines/delay-line.py');
  const line = spawn('python3', [script, ...devices, String(latencySeconds)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(line, 'exit');
  await Promise.race([once(line.stdout, 'data'), ended.then(([code]) => Promise.reject(new Error(`the delay line ended with ${String(code)}`)))]);
  return async () => {
    line.stdin.end();
    await ended;
  };
};

const shape = (namespace: string, device: string, { bitsPerSecond }: Cable): void =>
  ip('netns', 'exec', namespace, 'tc', 'qdisc', 'add', 'dev', device, 'root', 'tbf', 'rate', `${bitsPerSecond}bit`, 'burst', '131072', 'latency', '100ms');

/** `cable` null: as fast as the kernel is. */
export const openTwoMachines = async (cable: Cable | null): Promise<TwoMachines> => {
  const namespaces = [`mlora-a-${process.pid}`, `mlora-b-${process.pid}`] as const;
  const devices = [`mla${process.pid}`, `mlb${process.pid}`] as const;
  const children: ChildProcess[] = [];
  for (const namespace of namespaces) ip('netns', 'add', namespace);
  let endLine = (): Promise<void> => Promise.resolve();
  if (cable === null) ip('link', 'add', devices[0], 'type', 'veth', 'peer', 'name', devices[1]);
  else endLine = await openDelayLine(devices, cable);
  for (const [index, namespace] of namespaces.entries()) {
    const device = devices[index]!;
    ip('link', 'set', device, 'netns', namespace);
    ip('-n', namespace, 'address', 'add', `${ADDRESSES[index]}/24`, 'dev', device);
    if (cable !== null) {
      ip('-n', namespace, 'link', 'set', device, 'mtu', String(LARGEST_PACKET));
      shape(namespace, device, cable);
    }
    for (const each of ['lo', device]) ip('-n', namespace, 'link', 'set', each, 'up');
  }
  return {
    addresses: ADDRESSES,
    start: (machine, [program, ...words], env = {}) => {
      const child = spawn('ip', ['netns', 'exec', namespaces[machine], program!, ...words], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      });
      children.push(child);
      return child;
    },
    pullCable: () => ip('-n', namespaces[1], 'link', 'set', devices[1], 'down'),
    plugCable: () => ip('-n', namespaces[1], 'link', 'set', devices[1], 'up'),
    close: async () => {
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null).map((child) => once(child, 'exit')));
      await endLine();
      for (const namespace of namespaces) ip('netns', 'delete', namespace);
    },
  };
};
