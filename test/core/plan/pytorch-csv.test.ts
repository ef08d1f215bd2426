import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, it } from 'vitest';
import type { StagePlacement } from '../../../core/plan/plan.ts';
import { lowerTransfers } from '../../../core/plan/lower-transfers.ts';
import { checkOrder, formatPytorchCsv, readPytorchCsv } from '../../../core/plan/pytorch-csv.ts';
import { planInOrder } from '../../../core/planners/barrier.ts';
import {
  gpipeOrder,
  interleavedOrder,
  oneForwardOneBackwardOrder,
  zeroBubbleOrder,
  zeroBubbleVOrder,
  type PipelineOrder,
} from '../../../core/planners/pipeline-orders.ts';
import { deviceNames, heldoutEvery, oneLayerStages, unitCost, workload } from '../planners/workloads.ts';

const placed = (devices: readonly number[]): StagePlacement[] =>
  devices.map((device, stage) => ({ device, firstLayer: stage, endLayer: stage + 1 }));

/** Every closed-form order of three microbatches on two devices, and where its stages are. */
const ORDERS: Readonly<Record<string, readonly [PipelineOrder, readonly StagePlacement[]]>> = {
  gpipe: [gpipeOrder(2, 3), oneLayerStages(2)],
  '1f1b': [oneForwardOneBackwardOrder(2, 3), oneLayerStages(2)],
  interleaved: [interleavedOrder(2, 2, 3), placed([0, 1, 0, 1])],
  'zb-h1': [zeroBubbleOrder(2, 3), oneLayerStages(2)],
  'zb-v': [zeroBubbleVOrder(2, 3), placed([0, 1, 1, 0])],
};

const planned = (name: string, jobs = 1) => {
  const [order, stages] = ORDERS[name]!;
  const work = workload({ adapters: jobs, microbatches: 3, iterations: 2, evaluation: () => heldoutEvery(1, 1) });
  return planInOrder(name, order)(work, deviceNames(2), stages);
};

const lowered = (name: string) => lowerTransfers(planned(name), unitCost({ forwardNs: 1, backwardNs: 2 }), () => 1);

const textOf = (result: ReturnType<typeof formatPytorchCsv>): string => {
  if (E.isLeft(result)) throw new Error(JSON.stringify(result.left));
  return result.right;
};

describe('the CSV of PyTorch', () => {
  it.each(Object.keys(ORDERS))('has the passes of %s and reads back as the same order', (name) => {
    const [order] = ORDERS[name]!;
    expect(readPytorchCsv(textOf(formatPytorchCsv(planned(name))))).toEqual(E.right(order));
    expect(formatPytorchCsv(lowered(name))).toEqual(formatPytorchCsv(planned(name)));
  });

  it('is one mini-batch, a line per rank, without held-out rows and steps', () => {
    expect(textOf(formatPytorchCsv(planned('1f1b')))).toBe('0F0,0F1,0B0,0F2,0B1,0B2\n1F0,1B0,1F1,1B1,1F2,1B2\n');
  });

  it('leaves idle cells out, and transfers and collectives, which a plan gets by lowering', () => {
    expect(readPytorchCsv('\ufeff0UNSHARD,0F0,,"0SEND_F0",0WAIT_SEND_F0,0B0,0REDUCE_GRAD\r\n\r\n')).toEqual(
      E.right([[{ kind: 'forward', stage: 0, index: 0 }, { kind: 'backward', stage: 0, index: 0 }]]),
    );
  });

  it.each(['0F0,hello', '<b>', 'F0', '0F', '0F-1', '0F0;0B0', '{"a": 1}'])('refuses %s with the place of the cell', (text) => {
    expect(JSON.stringify(readPytorchCsv(text))).toMatch(/"path":"line 1, cell \d"/);
  });

  it.each(['', '\n\n', ',,,'])('refuses a file without passes', (text) => {
    expect(E.isLeft(readPytorchCsv(text))).toBe(true);
  });

  it('refuses plans that are not one mini-batch of one model', () => {
    expect(formatPytorchCsv(planned('1f1b', 2))).toMatchObject(E.left([{ path: 'jobs' }]));
  });

  it('says which lines do not suit a placement', () => {
    const messages = (order: PipelineOrder): string => JSON.stringify(checkOrder(order, planned('1f1b')));
    expect(messages(ORDERS['1f1b']![0])).toContain('"Right"');
    expect(messages(gpipeOrder(3, 3))).toMatch(/has 3 lines; the cluster has 2 devices[^]*has stage 2/);
    expect(messages(gpipeOrder(2, 4))).toContain('has microbatch 3; the experiment has 3');
    expect(messages(gpipeOrder(2, 2))).toMatch(/lacks 0F2[^]*lacks 1B2, or 1I2 and 1W2/);
    expect(messages(gpipeOrder(2, 3).map((passes) => [...passes, passes[0]!]))).toMatch(/has 0F0 2 times[^]*has 1F0 2 times/);
    expect(messages(gpipeOrder(2, 3).toReversed())).toContain('places on line 2');
  });
});
