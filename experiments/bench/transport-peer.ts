import { Pull, Push } from 'zeromq';
import { openInbox } from '../../exec/transport/zeromq-transport.ts';
import { lineOf, REPLY_EVERY, RUN, type PeerSettings } from './transport-line.ts';

/** The other process of `npm run bench -- transport`: takes tensors in, and answers some of them. */

const settings = JSON.parse(process.argv[2]!) as PeerSettings;

const serveTransport = async (): Promise<void> => {
  const inbox = await openInbox(settings.address, lineOf(settings));
  process.stdout.write(`${inbox.endpoint}\n`);
  const transport = inbox.join({ endpoints: [settings.parent, inbox.endpoint], rank: 1, run: RUN });
  for (let microbatch = 0; ; microbatch++) {
    const frame = await transport.receive({ direction: 'forward', stage: 1, microbatch });
    if ((microbatch + 1) % REPLY_EVERY[settings.size] === 0) await transport.send(0, { ...frame, direction: 'backward', stage: 0, values: frame.values.slice(0, 256), shape: [1, 256] });
  }
};

const serveRaw = async (): Promise<void> => {
  const pull = new Pull();
  await pull.bind(settings.address);
  const push = new Push();
  push.connect(settings.parent);
  process.stdout.write(`${pull.lastEndpoint}\n`);
  let count = 0;
  for await (const [values] of pull) if (++count % REPLY_EVERY[settings.size] === 0) await push.send(values!.subarray(0, 1024));
};

await (settings.raw ? serveRaw() : serveTransport());
