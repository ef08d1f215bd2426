import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** A Slurm of one machine, this one, with daemons of its own. Needs root and Debian's slurm-wlm and munge. */
export interface Slurm {
  /** For Slurm's commands, and whatever runs them. */
  readonly environment: Readonly<Record<string, string>>;
  readonly command: (program: string, ...words: readonly string[]) => string;
  readonly close: () => Promise<void>;
}

const DAEMONS = ['/usr/sbin/munged', '/usr/sbin/slurmctld', '/usr/sbin/slurmd'];

/** Why Slurm cannot be started here; null where it can. */
export const whyNoSlurm = (): string | null => {
  const missing = DAEMONS.filter((path) => !existsSync(path));
  if (missing.length > 0) return `there is no ${missing.join(', ')}`;
  return userInfo().uid === 0 ? null : 'its daemons need root';
};

const CPUS = 8;
const DAEMON_PORTS = [26_817, 26_818] as const;

const configuration = (folder: string, machine: string): string => `
ClusterName=test
SlurmctldHost=${machine}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=${folder}/munge/socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MpiDefault=none
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
SlurmctldPort=${DAEMON_PORTS[0]}
SlurmdPort=${DAEMON_PORTS[1]}
KillWait=5
SchedulerParameters=sched_interval=1
NodeName=${machine} NodeAddr=127.0.0.1 CPUs=${CPUS} State=UNKNOWN
PartitionName=main Nodes=${machine} Default=YES MaxTime=INFINITE State=UP
`;

const startMunge = (folder: string): ChildProcess => {
  const [uid, gid] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'munge'], { encoding: 'utf8' }))) as [number, number];
  mkdirSync(folder);
  writeFileSync(join(folder, 'key'), randomBytes(64), { mode: 0o400 });
  for (const path of [folder, join(folder, 'key')]) chownSync(path, uid, gid);
  const files = [`--socket=${folder}/socket`, `--key-file=${folder}/key`, `--pid-file=${folder}/pid`, `--log-file=${folder}/log`, `--seed-file=${folder}/seed`];
  return spawn('/usr/sbin/munged', ['--foreground', ...files], { uid, gid, stdio: 'ignore' });
};

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await setTimeout(50);
};

/** Starts the daemons with all they write in a folder, which must be open to all users; resolves when the machine is idle. */
export const startSlurm = async (folder: string): Promise<Slurm> => {
  const machine = hostname().split('.')[0]!;
  for (const name of ['state', 'spool']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'slurm.conf'), configuration(folder, machine));
  const environment = { SLURM_CONF: join(folder, 'slurm.conf') };
  const env = { ...process.env, ...environment };
  const command = (program: string, ...words: readonly string[]): string =>
    execFileSync(program, words, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const munge = startMunge(join(folder, 'munge'));
  await until(() => existsSync(join(folder, 'munge/socket')));
  const daemons = [['slurmctld', '-D', '-c'], ['slurmd', '-D']].map(([program, ...words]) => spawn(`/usr/sbin/${program!}`, words, { env, stdio: 'ignore' }));
  const isIdle = (): boolean => {
    try {
      return command('sinfo', '--noheader', '--format=%T').trim() === 'idle';
    } catch {
      return false;
    }
  };
  await until(isIdle);
  return {
    environment,
    command,
    close: async () => {
      for (const daemon of [...daemons, munge]) {
        daemon.kill('SIGTERM');
        if (daemon.exitCode === null) await once(daemon, 'exit');
      }
    },
  };
};
