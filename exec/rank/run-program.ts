import { setImmediate } from 'node:timers/promises';
import { streamOf, type Op } from '../../core/plan/op.ts';
import { opsOf, type Program } from '../../core/plan/plan.ts';
import { formatOp } from '../../core/plan/text.ts';
import { sumNorms } from './collective-ops.ts';
import { backward, closeAdapters, forward, load, release, save, step } from './compute-ops.ts';
import { abandon, createExchange, type Exchange } from './exchange.ts';
import type { Execution } from './execution.ts';
import { frameOf, receive, send } from './transfer-ops.ts';

/*
 * The interpreter of one device's program. Each stream takes its ops in program order and waits for what an op needs;
 * the streams do not wait for each other otherwise, as on a GPU and as in the simulator. Nothing is decided here.
 */

const computeOp = async (execution: Execution, exchange: Exchange, op: Op): Promise<void> => {
  switch (op.kind) {
    case 'forward':
      return forward(execution, exchange, op, { direction: 'forward', stage: op.stage, microbatch: op.microbatch });
    case 'backward':
      return backward(execution, exchange, op, { direction: 'backward', stage: op.stage, microbatch: op.microbatch });
    case 'step':
      return step(execution, exchange, op);
    case 'load':
      return load(execution, op, op.stage, op.adapter);
    case 'save':
      return save(execution, exchange, op);
    case 'release':
      return release(execution, op, op.stage, op.adapter);
    default:
      throw new Error(`${op.kind} is no compute op`);
  }
};

const transferOp = (execution: Execution, exchange: Exchange, op: Op): Promise<void> => {
  switch (op.kind) {
    case 'sendForward':
    case 'sendBackward':
      return send(execution, exchange, op, frameOf(op.kind, op.stage, op.microbatch));
    case 'receiveForward':
    case 'receiveBackward':
      return receive(execution, exchange, op, frameOf(op.kind, op.stage, op.microbatch));
    default:
      throw new Error(`${op.kind} is no transfer`);
  }
};

const collectiveOp = (execution: Execution, exchange: Exchange, op: Op): Promise<void> => {
  if (op.kind !== 'allReduceNorm') throw new Error(`${op.kind} is simulated only`);
  return sumNorms(execution, exchange, op);
};

const RUN = { compute: computeOp, send: transferOp, receive: transferOp, collective: collectiveOp } as const;
export type RunStream = keyof typeof RUN;

/** The ops that a stream meets, in their order; those of other streams are passed over. */
export type OpSource = (stream: RunStream) => Iterable<Op> | AsyncIterable<Op>;

/** A compute op blocks the thread: afterwards the other streams and the control channel get their turn. */
const runStream = async (execution: Execution, exchange: Exchange, stream: RunStream, ops: ReturnType<OpSource>): Promise<void> => {
  for await (const op of ops) {
    const own = streamOf(op.kind);
    if (stream === 'compute' && own === 'collective') exchange.reached.put(formatOp(op), true);
    if (own !== stream) continue;
    await execution.halt.run(op, () => RUN[stream](execution, exchange, op));
    if (stream === 'compute') await setImmediate();
  }
  if (stream === 'compute') await exchange.reading;
};

/** Runs a device's program to its end, or to where it is halted. */
export const runProgram = (execution: Execution, program: Program): Promise<void> => runOps(execution, () => opsOf(program));

/** Runs what a source gives to its end. Rejects with the first failure of any stream, after all streams have ended. */
export const runOps = async (execution: Execution, source: OpSource): Promise<void> => {
  const exchange = createExchange();
  const streams = (['compute', 'send', 'receive', 'collective'] as const).map((stream) => runStream(execution, exchange, stream, source(stream)));
  try {
    await Promise.all(streams);
    await closeAdapters(execution);
  } catch (error) {
    abandon(exchange, error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
};
