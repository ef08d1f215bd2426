import type { AddressInfo } from 'node:net';
import fastify from 'fastify';

/*
 * What any server of this kind costs beside a training: fastify, answering every request with the same few hundred bytes.
 * Prints its address.
 */

const ANSWER = { name: 'bare', text: 'x'.repeat(300) };

const app = fastify();
app.get('/*', (_request, reply) => reply.send(ANSWER));
await app.listen({ port: 0, host: '127.0.0.1' });
console.log(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}/#token=none`);
