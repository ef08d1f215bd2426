import type { IterationOpKind, Op } from '../../core/plan/op.ts';
import { formatOp } from '../../core/plan/text.ts';
import type { NormFrame } from '../transport/transport.ts';
import type { Exchange } from './exchange.ts';
import { stageOf, type Execution } from './execution.ts';

type NormOp = Extract<Op, { kind: IterationOpKind }>;

/** Name of the norm that a step on a stage clips by. */
export const normOf = ({ stage, adapter, iteration }: Pick<NormOp, 'stage' | 'adapter' | 'iteration'>): string =>
  formatOp({ kind: 'allReduceNorm', stage, adapter, iteration });

/**
 * Sums the squared norms of an adapter's gradient over all stages: each stage sends its share to every other, and all add
 * them up in the order of stages, so that they clip by the same number. The span starts when the last share was there to
 * be sent, as a collective does: before, the stream only waits.
 */
export const sumNorms = async (execution: Execution, exchange: Exchange, op: NormOp): Promise<void> => {
  const { placements, transport, observer, now } = execution;
  const { stage, adapter, iteration } = op;
  await exchange.reached.take(formatOp(op));
  const squaredNorm = await stageOf(execution, stage).squaredGradientNorm(adapter);
  const own: NormFrame = { direction: 'norm', stage, adapter, iteration, squaredNorm, sentNs: now() };
  const others = placements.flatMap(({ device }, other) => (other === stage ? [] : [{ device, other }]));
  await Promise.all(others.map(({ device }) => transport.send(device, own)));
  const received = await Promise.all(
    others.map(({ other }) => transport.receiveNorm({ direction: 'norm', stage: other, adapter, iteration })),
  );
  const shares = [own, ...received].sort((a, b) => a.stage - b.stage);
  const endNs = now();
  observer.span(op, Math.min(endNs, Math.max(...shares.map(({ sentNs }) => sentNs))), endNs);
  exchange.norms.put(normOf(op), Math.sqrt(shares.reduce((sum, share) => sum + share.squaredNorm, 0)));
};
