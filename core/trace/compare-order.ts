import { STREAM, STREAMS } from '../plan/op.ts';
import { opAt } from '../plan/plan.ts';
import { formatOp } from '../plan/text.ts';
import type { Trace } from './trace.ts';

/** Ops in the order they ran on one stream of one device, in text form. */
export interface StreamOrder {
  readonly device: number;
  readonly stream: 'compute' | 'send' | 'receive';
  readonly ops: readonly string[];
}

/** Where two traces first run different ops on a stream; null stands for "none left". */
export interface OrderDifference {
  readonly device: number;
  readonly stream: StreamOrder['stream'];
  readonly position: number;
  readonly first: string | null;
  readonly second: string | null;
}

const COMPARED = ['compute', 'send', 'receive'] as const;

/** Execution order of every device and stream; how streams interleave is a matter of timing and left out. */
export const executionOrder = ({ spans, devices }: Trace): StreamOrder[] => {
  const orders = devices.map(() => STREAMS.map((): string[] => []));
  for (let row = 0; row < spans.length; row++) {
    orders[spans.device[row]!]![spans.stream[row]!]!.push(formatOp(opAt(spans, row)));
  }
  return orders.flatMap((streams, device) =>
    COMPARED.map((stream) => ({ device, stream, ops: streams[STREAM[stream]]! })),
  );
};

/** The first difference of each stream; empty when both traces run the same ops in the same order everywhere. */
export const compareOrder = (first: Trace, second: Trace): OrderDifference[] => {
  const firstOrders = executionOrder(first);
  const secondOrders = executionOrder(second);
  const streams = firstOrders.length >= secondOrders.length ? firstOrders : secondOrders;
  return streams.flatMap(({ device, stream }, index) => {
    const difference = firstDifference(firstOrders[index]?.ops ?? [], secondOrders[index]?.ops ?? []);
    return difference === null ? [] : [{ device, stream, ...difference }];
  });
};

const firstDifference = (
  first: readonly string[],
  second: readonly string[],
): Pick<OrderDifference, 'position' | 'first' | 'second'> | null => {
  for (let position = 0; position < Math.max(first.length, second.length); position++) {
    if (first[position] === second[position]) continue;
    return { position, first: first[position] ?? null, second: second[position] ?? null };
  }
  return null;
};
