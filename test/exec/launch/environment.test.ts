import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { firstNode, readLaunch } from '../../../exec/launch/environment.ts';
import { drawRunKey, encodeZ85 } from '../../../exec/transport/run-key.ts';

const KEY = drawRunKey();

const TORCHRUN = { RANK: '1', WORLD_SIZE: '4', MASTER_ADDR: 'head', MASTER_PORT: '29500', MLORA_RUN_KEY: KEY.secret };
const STEP = { SLURM_JOB_ID: '17', SLURM_STEP_ID: '0', SLURM_PROCID: '3', SLURM_STEP_NUM_TASKS: '4', SLURM_STEP_NODELIST: 'gpu[03-04]' };

describe('the environment of a process', () => {
  it('says nothing of other processes in a shell and in a batch script', () => {
    expect(readLaunch({})).toEqual(E.right({ kind: 'alone', isRestart: false }));
    const script = { SLURM_JOB_ID: '17', SLURM_PROCID: '0', SLURM_NTASKS: '4' };
    expect(readLaunch(script)).toEqual(E.right({ kind: 'alone', isRestart: false }));
    expect(readLaunch({ ...script, SLURM_RESTART_COUNT: '1' })).toEqual(E.right({ kind: 'alone', isRestart: true }));
  });

  it('of a launcher that starts one process says nothing of others', () => {
    expect(readLaunch({ RANK: '0', WORLD_SIZE: '1' })).toEqual(E.right({ kind: 'alone', isRestart: false }));
    expect(readLaunch({ ...STEP, SLURM_PROCID: '0', SLURM_STEP_NUM_TASKS: '1' })).toMatchObject(E.right({ kind: 'alone' }));
  });

  it("is read by torchrun's convention", () => {
    const meeting = { kind: 'address', host: 'head', port: 29_500, key: KEY };
    expect(readLaunch(TORCHRUN)).toEqual(E.right({ kind: 'together', rank: 1, size: 4, meeting, isRestart: false }));
  });

  it('leaves the port to the store that torchrun keeps there', () => {
    const launch = readLaunch({ ...TORCHRUN, TORCHELASTIC_USE_AGENT_STORE: 'True', TORCHELASTIC_RESTART_COUNT: '2' });
    expect(launch).toMatchObject(E.right({ meeting: { port: 29_501 }, isRestart: true }));
  });

  it("is read by Slurm's convention, with a file for each step and restart", () => {
    expect(readLaunch(STEP)).toEqual(
      E.right({ kind: 'together', rank: 3, size: 4, meeting: { kind: 'file', name: 'slurm-17.0.0' }, isRestart: false }),
    );
    expect(readLaunch({ ...STEP, SLURM_RESTART_COUNT: '2' })).toMatchObject(E.right({ meeting: { name: 'slurm-17.0.2' }, isRestart: true }));
  });

  it('sends tasks of Slurm to the first node where there is a key and a port', () => {
    const launch = readLaunch({ ...STEP, MLORA_RUN_KEY: KEY.secret, MASTER_PORT: '29500' });
    expect(launch).toMatchObject(E.right({ meeting: { kind: 'address', host: 'gpu03', port: 29_500 } }));
  });

  it('is told with everything that is wrong in it, and without the key', () => {
    const launch = readLaunch({ RANK: 'two', WORLD_SIZE: '4', MASTER_PORT: '0', MLORA_RUN_KEY: 'secret!' });
    expect(launch).toEqual(
      E.left([
        'RANK is "two"; expected a whole number from 0 on',
        'MASTER_ADDR is not set',
        'MASTER_PORT is "0"; expected a whole number from 1 on',
        'MLORA_RUN_KEY has 7 characters that are no key; expected 64 hexadecimal digits, as `openssl rand -hex 32` prints them',
      ]),
    );
    expect(readLaunch({ ...TORCHRUN, RANK: '4' })).toEqual(E.left(['rank 4 is none of 4 ranks']));
    expect(readLaunch({ ...TORCHRUN, MLORA_RUN_KEY: undefined })).toEqual(
      E.left(['MLORA_RUN_KEY is not set: give all ranks the same secret, as `openssl rand -hex 32` prints it']),
    );
  });
});

describe('a list of nodes', () => {
  it.each([
    ['node7', 'node7'],
    ['a1,a2', 'a1'],
    ['gpu[03-07,12],login1', 'gpu03'],
    ['rack2-[1,5]', 'rack2-1'],
  ])('%s begins with %s', (list, first) => expect(firstNode(list)).toBe(first));
});

describe('a run key', () => {
  // Test vector of rfc.zeromq.org/spec/32.
  it('is written in Z85', () => {
    expect(encodeZ85(Buffer.from([0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b]))).toBe('HelloWorld');
  });
});
