import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import { constantCluster, constantCost } from '../../sim/constant-cost.ts';
import { formatDeadlock } from '../../sim/engine/deadlock.ts';
import { simulate } from '../../sim/engine/simulate.ts';
import { linesOf, smallPlan, traceOf } from './small-plan.ts';

const TWO_STAGES = [
  '0F0 0SEND_F0 0F1 0SEND_F1 0RECV_B0 0B0 0RECV_B1 0B1 0STEP0.0',
  '1RECV_F0 1F0 1B0 1SEND_B0 1RECV_F1 1F1 1B1 1SEND_B1 1STEP0.0',
];

describe('streams', () => {
  it('run a two-stage pipeline as computed by hand', () => {
    const cost = constantCost({ forwardNs: 10, backwardNs: 20, stepNs: 3, transferNs: 4 });
    const trace = traceOf(smallPlan(TWO_STAGES), cost, constantCluster(2, { latencyNs: 1 }));
    expect(linesOf(trace)).toEqual(
      [
        '0 compute 0F0 0-10',
        '0 send 0SEND_F0 10-15',
        '1 receive 1RECV_F0 10-15',
        '0 compute 0F1 10-20',
        '1 compute 1F0 15-25',
        '0 send 0SEND_F1 20-25',
        '1 receive 1RECV_F1 20-25',
        '1 compute 1B0 25-45',
        '1 send 1SEND_B0 45-50',
        '0 receive 0RECV_B0 45-50',
        '1 compute 1F1 45-55',
        '0 compute 0B0 50-70',
        '1 compute 1B1 55-75',
        '1 compute 1STEP0.0 75-78',
        '1 send 1SEND_B1 75-80',
        '0 receive 0RECV_B1 75-80',
        '0 compute 0B1 80-100',
        '0 compute 0STEP0.0 100-103',
      ].sort(),
    );
  });

  it('keep a send waiting while its receive stream is behind', () => {
    const plan = smallPlan([
      '0F0 0SEND_F0 0F1 0SEND_F1',
      '1RECV_F0 1F0 1SEND_F0 1RECV_B0 1RECV_F1 1F1 1B0',
      '2RECV_F0 2F0 2B0 2SEND_B0',
    ]);
    const trace = traceOf(plan, constantCost({ forwardNs: 10, backwardNs: 20, transferNs: 4 }), constantCluster(3));
    expect(linesOf(trace)).toEqual(
      expect.arrayContaining(['0 compute 0F1 10-20', '1 receive 1RECV_B0 58-62', '0 send 0SEND_F1 62-66']),
    );
  });

  it('share a link that both their routes use', () => {
    const plan = smallPlan([
      '0F0 0SEND_F0 0F1 0F2 0F3 0F4 0SEND_F4',
      '1RECV_F0 1F0 1SEND_F0 1RECV_F4 1F4',
      '2RECV_F0 2F0 2SEND_F0',
      '3RECV_F0 3F0',
    ]);
    const dedicated = constantCluster(4);
    const shared = { ...dedicated, routes: dedicated.routes.map((row, from) => row.map((_, to) => (from === to ? [] : [0]))) };
    const cost = constantCost({ forwardNs: 10, backwardNs: 20, transferNs: 10 });
    expect(linesOf(traceOf(plan, cost, dedicated))).toEqual(
      expect.arrayContaining(['0 send 0SEND_F4 50-60', '2 send 2SEND_F0 50-60']),
    );
    expect(linesOf(traceOf(plan, cost, shared))).toEqual(
      expect.arrayContaining(['0 send 0SEND_F4 50-70', '2 send 2SEND_F0 50-70', '3 compute 3F0 70-80']),
    );
  });

  it('hand data over without a transfer where stages share a device', () => {
    const plan = smallPlan(['0F0 1F0 1B0 0B0'], { stageDevices: [0, 0] });
    const trace = traceOf(plan, constantCost({ forwardNs: 10, backwardNs: 20, transferNs: 99 }), constantCluster(1));
    expect(linesOf(trace)).toEqual([
      '0 compute 0B0 40-60',
      '0 compute 0F0 0-10',
      '0 compute 1B0 20-40',
      '0 compute 1F0 10-20',
    ]);
  });

  it('keep a load waiting until its job arrives', () => {
    const plan = smallPlan(['0LOAD0 0F0 0LOAD1 0B0 0STEP0.0'], { arrivalsNs: [7, 5] });
    const trace = traceOf(plan, constantCost({ forwardNs: 10, backwardNs: 20 }), constantCluster(1));
    expect(linesOf(trace)).toEqual([
      '0 compute 0B0 17-37',
      '0 compute 0F0 7-17',
      '0 compute 0LOAD0 7-7',
      '0 compute 0LOAD1 17-17',
      '0 compute 0STEP0.0 37-37',
    ]);
  });
});

describe('the host stream', () => {
  const plan = smallPlan(['0F0 0F1 0F2']);

  it('bounds a launch-bound device by its launches', () => {
    const cost = constantCost({ forwardNs: 30, backwardNs: 1, launchNs: 50, firstLaunchNs: 5 });
    expect(linesOf(traceOf(plan, cost, constantCluster(1)))).toEqual([
      '0 compute 0F0 5-50',
      '0 compute 0F1 55-100',
      '0 compute 0F2 105-150',
      '0 host 0F0 0-50',
      '0 host 0F1 50-100',
      '0 host 0F2 100-150',
    ]);
  });

  it('hides launches behind a busy device, one op ahead', () => {
    const cost = constantCost({ forwardNs: 100, backwardNs: 1, launchNs: 50, firstLaunchNs: 5 });
    expect(linesOf(traceOf(plan, cost, constantCluster(1)))).toEqual([
      '0 compute 0F0 5-105',
      '0 compute 0F1 105-205',
      '0 compute 0F2 205-305',
      '0 host 0F0 0-50',
      '0 host 0F1 50-100',
      '0 host 0F2 105-155',
    ]);
  });

  it('leaves no span where launches are free', () => {
    const trace = traceOf(plan, constantCost({ forwardNs: 1, backwardNs: 1 }), constantCluster(1));
    expect(linesOf(trace).filter((line) => line.includes('host'))).toEqual([]);
  });
});

describe('a deadlock', () => {
  it('names every stuck stream, its next op and what it waits for', () => {
    const plan = smallPlan(['0F0 0SEND_F0 0F1 0SEND_F1', '1RECV_F1 1F1 1RECV_F0 1F0']);
    const result = simulate(plan, constantCost({ forwardNs: 10, backwardNs: 1 }), constantCluster(2));
    expect(result).toEqual(
      E.left({
        kind: 'deadlock',
        timeNs: 20,
        stuck: [
          { device: 'device0', stream: 'send', position: 1, op: '0SEND_F0', waitsFor: ['1RECV_F0'] },
          { device: 'device1', stream: 'compute', position: 1, op: '1F1', waitsFor: ['1RECV_F1'] },
          { device: 'device1', stream: 'receive', position: 0, op: '1RECV_F1', waitsFor: ['0SEND_F1'] },
        ],
      }),
    );
    if (E.isLeft(result)) expect(formatDeadlock(result.left)).toContain('device0 send: 0SEND_F0 (position 1) waits for 1RECV_F0');
  });

  it('is what becomes of a plan without its transfers', () => {
    const result = simulate(smallPlan(['0F0', '1F0']), constantCost({ forwardNs: 1, backwardNs: 1 }), constantCluster(2));
    expect(result).toMatchObject(E.left({ stuck: [{ op: '1F0', waitsFor: ['1RECV_F0'] }] }));
  });

  it('is found where a backward waits for its own forward', () => {
    const result = simulate(smallPlan(['0B0 0F0']), constantCost({ forwardNs: 1, backwardNs: 1 }), constantCluster(1));
    expect(result).toMatchObject(E.left({ stuck: [{ op: '0B0', waitsFor: ['0F0'] }] }));
  });
});

describe('simulate', () => {
  it('refuses a cost that is no number of nanoseconds', () => {
    const run = () => simulate(smallPlan(['0F0']), constantCost({ forwardNs: NaN, backwardNs: 1 }), constantCluster(1));
    expect(run).toThrow('device time of a cost model is NaN');
  });

  it('refuses a plan for more devices than the cluster has', () => {
    const run = () => simulate(smallPlan(['0F0', '1F0']), constantCost({ forwardNs: 1, backwardNs: 1 }), constantCluster(1));
    expect(run).toThrow('plan for 2 devices on a cluster of 1');
  });
});
