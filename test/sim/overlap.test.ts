import { describe, expect, it } from 'vitest';
import type { Cluster, LinkTechnology } from '../../core/cluster/cluster.ts';
import { constantCluster, constantCost } from '../../sim/constant-cost.ts';
import { linesOf, smallPlan, traceOf } from './small-plan.ts';

/** Links of a technology without latency, a byte a nanosecond. */
const links = (technology: LinkTechnology, deviceCount = 2): Cluster => {
  const cluster = constantCluster(deviceCount);
  return { ...cluster, links: cluster.links.map((link) => ({ ...link, technology })) };
};

const linesFrom = (programs: readonly string[], cluster: Cluster, transferNs: number): string[] =>
  linesOf(traceOf(smallPlan(programs), constantCost({ forwardNs: 1000, backwardNs: 1000, transferNs }), cluster));

describe('the price of overlap', () => {
  const PROGRAMS = ['0F0 0SEND_F0 0F1 0F2', '1RECV_F0 1F0'];

  it('is the share of multiprocessors that a transfer takes, for as long as it takes, on the next op of its devices', () => {
    expect(linesFrom(PROGRAMS, links('nvlink'), 200)).toEqual(
      expect.arrayContaining(['0 compute 0F0 0-1000', '0 compute 0F1 1000-2030', '0 compute 0F2 2030-3030']),
    );
    expect(linesFrom(PROGRAMS, links('network'), 200)).toContain('0 compute 0F1 1000-2004');
  });

  it('is never more than an op that is overlapped from start to end loses', () => {
    // At 0.85 of its speed an op of 1000 takes 1000/0.85.
    expect(linesFrom(PROGRAMS, links('nvlink'), 1e6)).toContain('0 compute 0F1 1000-2176');
  });

  it('is nothing where an op waits for the transfer, and nothing on links without GPUs', () => {
    expect(linesFrom(PROGRAMS, links('nvlink'), 200)).toContain('1 compute 1F0 1200-2200');
    expect(linesFrom(PROGRAMS, constantCluster(2), 200)).toContain('0 compute 0F1 1000-2000');
  });

  it('spares ops that wait for a collective and charges those beside it', () => {
    const plan = smallPlan(['0GATHER_F0 1GATHER_F0 0F0 1F0', '2GATHER_F1 3GATHER_F1 2F1 3F1'], {
      stageDevices: [0, 0, 1, 1],
      stagePipelines: [0, 0, 1, 1],
      stageLayers: [0, 1, 0, 1],
      microbatchPipelines: [0, 1],
      microbatches: 2,
    });
    const cost = constantCost({ forwardNs: 1000, backwardNs: 1000, collectiveBytes: 400 });
    // Each gather moves half of 400 bytes; the first pass waits for the first gather and runs beside the second.
    const lines = linesOf(traceOf(plan, cost, links('nvlink')));
    expect(lines).toEqual(expect.arrayContaining(['0 compute 0F0 200-1230', '0 compute 1F0 1230-2230']));
  });

  it('counts the dearest of transfers in both directions', () => {
    const lines = linesFrom(['0F0 0SEND_F0 0F1 0SEND_F1 0RECV_B0 0F2', '1RECV_F0 1F0 1B0 1SEND_B0 1RECV_F1 1F1'], links('nvlink'), 200);
    expect(lines).toContain('0 compute 0F2 2030-3060');
  });
});
