import { describe, expect, it } from 'vitest';
import { compareOrder, executionOrder } from '../../../core/trace/compare-order.ts';
import { traceOfLines } from './traces.ts';

describe('execution order', () => {
  it('lists ops by device and stream in order of start, without launches', () => {
    const trace = traceOfLines(['0F1 20-30', '0F0 0-10', 'host 0F0 0-5', '0SEND_F0 10-12', '1RECV_F0 10-12']);
    expect(executionOrder(trace).filter(({ ops }) => ops.length > 0)).toEqual([
      { device: 0, stream: 'compute', ops: ['0F0', '0F1'] },
      { device: 0, stream: 'send', ops: ['0SEND_F0'] },
      { device: 1, stream: 'receive', ops: ['1RECV_F0'] },
    ]);
  });
});

describe('comparing two traces', () => {
  const simulated = traceOfLines(['0F0 0-10', '0SEND_F0 10-12', '0F1 10-20', '0B0 20-40']);

  it('finds nothing where only times and the interleaving of streams differ', () => {
    expect(compareOrder(simulated, traceOfLines(['0F0 0-11', '0F1 11-19', '0SEND_F0 19-29', '0B0 30-90']))).toEqual([]);
  });

  it('finds the first op that differs on a stream', () => {
    const measured = traceOfLines(['0F0 0-10', '0SEND_F0 10-12', '0B0 10-20', '0F1 20-40']);
    expect(compareOrder(simulated, measured)).toEqual([{ device: 0, stream: 'compute', position: 1, first: '0F1', second: '0B0' }]);
  });

  it('finds ops that one of them lacks, whichever it is', () => {
    const short = traceOfLines(['0F0 0-10', '0F1 10-20', '0B0 20-40']);
    expect(compareOrder(simulated, short)).toEqual([{ device: 0, stream: 'send', position: 0, first: '0SEND_F0', second: null }]);
    expect(compareOrder(short, simulated)).toEqual([{ device: 0, stream: 'send', position: 0, first: null, second: '0SEND_F0' }]);
  });
});
