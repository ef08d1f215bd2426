import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readdir } from 'node:fs/promises';
import { extname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A trace file that the page opens when it comes with `?result`. */
export interface GivenTrace {
  readonly label: string;
  readonly file: string;
}

/** The page as the build left it. */
const PAGE = fileURLToPath(new URL('../page/', import.meta.url));

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
};

/** Files by the path they are asked for under: nothing else of the disk can be reached. */
const pageFiles = async (): Promise<Map<string, string>> => {
  const entries = await readdir(PAGE, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.map((file) => [`/${posix.join(...file.slice(PAGE.length).split(/[\\/]/))}`, file]));
};

const routesOf = (files: Map<string, string>, traces: readonly GivenTrace[]): Map<string, string> =>
  new Map([...files, ['/', join(PAGE, 'index.html')], ...traces.map(({ file }, t) => [`/traces/${t}.json`, file] as const)]);

/** A page of another site must not read from here, whatever name it gives this machine. */
const isLocal = ({ headers }: IncomingMessage): boolean => /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(headers.host ?? '');

const send = (response: ServerResponse, status: number, type: string, text: string): void => {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(text);
};

const sendFile = (response: ServerResponse, file: string): void => {
  const stream = createReadStream(file);
  stream.on('error', () => {
    if (response.headersSent) response.destroy();
    else send(response, 500, 'text/plain', 'cannot be read\n');
  });
  stream.once('open', () => {
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'cache-control': 'no-store' });
    stream.pipe(response);
  });
};

/** Serves the page and some traces on the loopback interface; port 0 takes a free one. */
export const servePage = async (port: number, traces: readonly GivenTrace[]): Promise<Server> => {
  const routes = routesOf(await pageFiles(), traces);
  const results = JSON.stringify(traces.map(({ label }, t) => ({ label, path: `traces/${t}.json` })));
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const file = routes.get(pathname);
    if (!isLocal(request)) send(response, 403, 'text/plain', 'only for this machine\n');
    else if (request.method !== 'GET') send(response, 405, 'text/plain', 'only GET\n');
    else if (pathname === '/results.json') send(response, 200, 'application/json', results);
    else if (file === undefined) send(response, 404, 'text/plain', 'not found\n');
    else sendFile(response, file);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
};
