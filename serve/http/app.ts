import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { createReadStream } from 'node:fs';
import { createTokenCheck } from '../token.ts';
import { problemsBody, sendProblems } from './answers.ts';
import { addRoutes, type RouteSources } from './routes.ts';
import { contentTypeOf } from './static-files.ts';

export interface AppOptions extends RouteSources {
  readonly token: string;
  readonly version: string;
  /** Largest body of a request. */
  readonly mostBodyBytes: number;
  /** Requests a second from one address. */
  readonly requestsPerSecond: number;
  /** Files of the dashboard by path; empty: there is none. */
  readonly pages: ReadonlyMap<string, string>;
  readonly onNote: (text: string) => void;
}

/** For a body to come in. */
const REQUEST_TIMEOUT_MS = 120_000;

const INFO = {
  title: 'mlora',
  description: 'Trains LoRA adapters on one frozen base model, one job an adapter. Every request below /v1 needs the header `Authorization: Bearer TOKEN`.',
};

/** Fastify's own complaints, as sentences; the rest of a message of its own is its own. */
const sentenceOf = (error: FastifyError, mostBodyBytes: number): string => {
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return `the body is larger than ${mostBodyBytes} bytes`;
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return 'expected a body of type application/json';
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return 'expected a JSON body, found none';
    default:
      return error.message;
  }
};

const addFaults = (app: FastifyInstance, { mostBodyBytes, onNote }: AppOptions): void => {
  app.setNotFoundHandler((request, reply) => sendProblems(reply, 404, `there is no ${request.method} ${request.url.split('?')[0]!}`));
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return sendProblems(reply, status, sentenceOf(error, mostBodyBytes));
    onNote(`${request.method} ${request.url}: ${error.stack ?? error.message}`);
    return sendProblems(reply, 500, 'the server failed; its log says why');
  });
};

const addPages = (app: FastifyInstance, pages: AppOptions['pages']): void => {
  for (const [path, file] of pages) {
    app.get(path, { schema: { hide: true } }, (_request, reply) =>
      reply.type(contentTypeOf(file)).header('cache-control', 'no-cache').send(createReadStream(file)),
    );
  }
};

/** The server's HTTP side; it does not listen yet. */
export const createApp = async (options: AppOptions): Promise<FastifyInstance> => {
  const isAllowed = createTokenCheck(options.token);
  const app = fastify({ bodyLimit: options.mostBodyBytes, forceCloseConnections: true, exposeHeadRoutes: false, requestTimeout: REQUEST_TIMEOUT_MS, routerOptions: { maxParamLength: 100 } });
  app.removeContentTypeParser('text/plain');
  // Schemas are for the document; bodies are judged by the reader of experiment files.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  addFaults(app, options);
  app.addHook('onRequest', (_request, reply, next) => {
    reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer').header('cache-control', 'no-store');
    next();
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { ...INFO, version: options.version },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
  });
  await app.register(rateLimit, {
    max: options.requestsPerSecond,
    timeWindow: 1000,
    errorResponseBuilder: (_request, { max }) => Object.assign(new Error(`more than ${max} requests a second from this address`), { statusCode: 429 }),
  });
  await app.register(
    (routes, _options, done) => {
      routes.addHook('onRequest', (request, reply, next) => {
        if (isAllowed(request.headers.authorization)) return next();
        reply.header('www-authenticate', 'Bearer').code(401).send(problemsBody('expected the header Authorization: Bearer TOKEN with the token of this server'));
      });
      addRoutes(routes, options);
      done();
    },
    { prefix: '/v1' },
  );
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  app.get('/healthz', { schema: { summary: 'Whether the server answers', security: [] } }, () => ({ ok: true }));
  addPages(app, options.pages);
  await app.ready();
  return app;
};
