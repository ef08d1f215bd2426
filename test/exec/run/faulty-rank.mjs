// A rank's process as rank-main.ts starts it, except that tensors reach one of the ranks through a relay which breaks in
// the middle of the run. MLORA_TEST_FAULT says how: `cut 1` ends the line to rank 1 in the middle of a frame, `flip 1`
// changes one bit of a tensor on it.
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { connectToCoordinator } from '../../../dist/exec/rank/control-port.js';
import { openEngine } from '../../../dist/exec/rank/engine.js';
import { serveRank } from '../../../dist/exec/rank/serve-rank.js';
import { LOCAL_LINE } from '../../../dist/exec/transport/line.js';
import { openInbox } from '../../../dist/exec/transport/zeromq-transport.js';

const INTACT_BYTES = 400_000;
/** Tensors arrive in pieces of this size and more, words between sockets in smaller ones. */
const TENSOR_BYTES = 8192;

const settings = JSON.parse(process.argv[2]);
const [fault, target] = process.env.MLORA_TEST_FAULT.split(' ');
const isFaulty = Number(target) === settings.rank;
const pathOf = (address) => address.slice('ipc://'.length);

let passed = 0;
let broken = false;
const relayed = (piece, lines) => {
  passed += piece.length;
  if (broken || passed < INTACT_BYTES || piece.length < TENSOR_BYTES) return piece;
  broken = true;
  const middle = piece.length >> 1;
  if (fault === 'cut') {
    setImmediate(() => lines.forEach((line) => line.destroy()));
    return piece.subarray(0, middle);
  }
  piece[middle] ^= 1;
  return piece;
};

const startRelay = (outer, inner) =>
  new Promise((resolve) => {
    const server = createServer((from) => {
      const to = connect(pathOf(inner));
      for (const line of [from, to]) line.on('error', () => undefined);
      from.on('data', (piece) => to.write(relayed(piece, [from, to])));
      to.on('data', (piece) => from.write(piece));
      from.on('close', () => to.destroy());
      to.on('close', () => from.destroy());
      if (broken && fault === 'cut') from.destroy();
    });
    server.listen(pathOf(outer), resolve).unref();
  });

process.on('SIGINT', () => undefined);
const inner = isFaulty ? `${settings.inbox}-inner` : settings.inbox;
const { endpoint, join } = await openInbox(inner);
if (isFaulty) await startRelay(settings.inbox, inner);
const port = connectToCoordinator({ identity: `rank-${settings.rank}`, address: settings.control, line: LOCAL_LINE, patienceSeconds: 30 });
setInterval(() => port.send({ kind: 'alive' }), 1000).unref();
try {
  await serveRank(port, { endpoint: isFaulty ? settings.inbox : endpoint, join, openEngine });
  process.exit(0);
} catch (error) {
  process.stderr.write(String(error));
  rmSync(settings.runFolder, { recursive: true, force: true });
  process.exit(1);
}
