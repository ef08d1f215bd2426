import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { chromeTraceChunks } from '../../core/trace/chrome-trace.ts';
import type { Trace } from '../../core/trace/trace.ts';
import { hasEnded, type ServedJob, type ServerStatus } from '../../core/served-job.ts';
import type { ChangeAnswer, JobService, SubmitAnswer } from '../job-service.ts';
import type { JobBook } from '../state/job-book.ts';
import { archiveOf } from './adapter-archive.ts';
import { sendProblems, sendUnknownJob } from './answers.ts';
import { ARCHIVE, EVENT_STREAM, FAULTS, JOB, JOBS, KEYED, LISTING, LOSSES, NAMED_FILE, NAMED_JOB, PRIORITY, PROBLEMS, SINCE, STATUS, SUBMISSION, THINNED } from './documents.ts';
import type { EventStreams } from './event-stream.ts';
import { readKey, readListing, readPriority, readSince, readThinned } from './query.ts';

/** What the routes answer from. */
export interface RouteSources {
  readonly service: JobService;
  readonly book: JobBook;
  readonly streams: EventStreams;
  readonly status: () => ServerStatus;
  /** What the ranks did lately; null while they are not up. */
  readonly trace: () => Trace | null;
  readonly adapterFolder: (id: string) => string;
  /** Submissions a second from one address. */
  readonly submissionsPerSecond: number;
}

type JobRequest = FastifyRequest<{ Params: { job: string } }>;

const WRONG_BODY = 'the job cannot be taken as it is';
const WRONG_QUERY = 'the request cannot be understood';

const answerSubmission = (reply: FastifyReply, answer: SubmitAnswer): FastifyReply => {
  switch (answer.kind) {
    case 'accepted':
      return reply.code(answer.isNew ? 201 : 200).header('location', `/v1/jobs/${answer.job.id}`).send(answer.job);
    case 'conflict':
      return sendProblems(reply, 409, `this Idempotency-Key belongs to another request: ${answer.job}`);
    case 'refused':
      return sendProblems(reply, 422, WRONG_BODY, answer.problems);
    case 'full':
      return sendProblems(reply.header('retry-after', '60'), 503, `the queue is full: ${answer.most} jobs have not ended yet`);
    case 'closed':
      return sendProblems(reply.header('retry-after', '5'), 503, 'the server is being stopped');
  }
};

const answerChange = (reply: FastifyReply, name: string, answer: ChangeAnswer): FastifyReply => {
  switch (answer.kind) {
    case 'done':
      return reply.send(answer.job);
    case 'unknown':
      return sendUnknownJob(reply, name);
    case 'ended':
      return sendProblems(reply, 409, `job ${answer.job.id} has ended: ${answer.job.state}`);
  }
};

const sendFile = async (reply: FastifyReply, path: string, type: string): Promise<FastifyReply> => {
  const { size } = await stat(path);
  return reply.type(type).header('content-length', size).send(createReadStream(path));
};

const FILE_TYPES = new Map([
  ['adapter_config.json', 'application/json'],
  ['adapter_model.safetensors', 'application/octet-stream'],
]);

const ofJob = { params: NAMED_JOB, tags: ['jobs'] } as const;
const answers = (status: number, schema: object, ...faults: readonly number[]) => ({
  response: { [status]: schema, ...FAULTS, ...Object.fromEntries(faults.map((fault) => [fault, PROBLEMS])) },
});

/** The routes below /v1; whoever comes here has shown the token. */
export const addRoutes = (app: FastifyInstance, sources: RouteSources): void => {
  const { service, book, streams } = sources;

  const withJob = (request: JobRequest, reply: FastifyReply, answer: (job: ServedJob) => unknown): unknown => {
    const job = book.find(request.params.job);
    return job === null ? sendUnknownJob(reply, request.params.job) : answer(job);
  };

  app.get('/status', { schema: { summary: 'What the server is and does', ...answers(200, STATUS) } }, (_request, reply) => reply.send(sources.status()));

  app.post(
    '/jobs',
    {
      config: { rateLimit: { max: sources.submissionsPerSecond, timeWindow: 1000 } },
      schema: { summary: 'Submit a job', tags: ['jobs'], body: SUBMISSION, headers: KEYED, ...answers(201, JOB, 400, 409, 413, 415, 422, 503) },
    },
    async (request, reply) => {
      const key = readKey(request.headers['idempotency-key']);
      return E.isLeft(key) ? sendProblems(reply, 400, key.left) : answerSubmission(reply, await service.submit(request.body, key.right));
    },
  );

  app.get('/jobs', { schema: { summary: 'List jobs, latest first', tags: ['jobs'], querystring: LISTING, ...answers(200, JOBS, 400) } }, (request, reply) => {
    const filter = readListing(request.query);
    return E.isLeft(filter) ? sendProblems(reply, 400, WRONG_QUERY, filter.left) : reply.send({ jobs: book.list(filter.right) });
  });

  app.get('/jobs/:job', { schema: { summary: 'Inspect a job', ...ofJob, ...answers(200, JOB, 404) } }, (request: JobRequest, reply) =>
    withJob(request, reply, (job) => reply.send(job)),
  );

  app.patch('/jobs/:job', { schema: { summary: 'Change the priority', ...ofJob, body: PRIORITY, ...answers(200, JOB, 404, 409, 422) } }, (request: JobRequest, reply) => {
    const change = readPriority(request.body);
    if (E.isLeft(change)) return sendProblems(reply, 422, 'the priority cannot be changed like this', change.left);
    return answerChange(reply, request.params.job, service.changePriority(request.params.job, change.right.priority));
  });

  app.post('/jobs/:job/cancel', { schema: { summary: 'End a job at its next iteration end', ...ofJob, ...answers(200, JOB, 404, 409) } }, (request: JobRequest, reply) =>
    answerChange(reply, request.params.job, service.cancel(request.params.job)),
  );

  app.get('/jobs/:job/losses', { schema: { summary: 'Loss curves', ...ofJob, querystring: THINNED, ...answers(200, LOSSES, 400, 404) } }, (request: JobRequest, reply) => {
    const wanted = readThinned(request.query);
    if (E.isLeft(wanted)) return sendProblems(reply, 400, WRONG_QUERY, wanted.left);
    return withJob(request, reply, ({ number }) => reply.send(book.losses(number, wanted.right.points)));
  });

  app.get('/jobs/:job/adapter', { schema: { summary: 'Download the trained adapter as one tar archive', ...ofJob, ...answers(200, ARCHIVE, 404, 409) } }, (request: JobRequest, reply) =>
    withJob(request, reply, async ({ id, adapter, state }) => {
      if (adapter.length === 0) return sendProblems(reply, 409, `job ${id} has no adapter: it is ${state}`);
      const { stream, bytes } = await archiveOf(sources.adapterFolder(id), adapter, id);
      return reply.type('application/x-tar').header('content-length', bytes).header('content-disposition', `attachment; filename="${id}.tar"`).send(stream);
    }),
  );

  app.get('/jobs/:job/adapter/:file', { schema: { summary: 'Download a file of the trained adapter', tags: ['jobs'], params: NAMED_FILE, ...answers(200, { type: 'string', format: 'binary' }, 404, 409) } }, (request: FastifyRequest<{ Params: { job: string; file: string } }>, reply) =>
    withJob(request, reply, ({ id, adapter, state }) => {
      const { file } = request.params;
      const type = FILE_TYPES.get(file);
      if (type === undefined) return sendProblems(reply, 404, `an adapter has no file ${file}; its files are ${[...FILE_TYPES.keys()].join(' and ')}`);
      if (!adapter.includes(file)) return sendProblems(reply, 409, `job ${id} has no adapter: it is ${state}`);
      return sendFile(reply, join(sources.adapterFolder(id), file), type);
    }),
  );

  const stream = (request: FastifyRequest, reply: FastifyReply, job: ServedJob | null): unknown => {
    const from = readSince(request.query, request.headers['last-event-id'] as string | undefined);
    if (E.isLeft(from)) return sendProblems(reply, 400, WRONG_QUERY, from.left);
    const isOver = job !== null && hasEnded(job.state);
    const isOpen = streams.open(reply, { job: job?.number ?? null, after: from.right.after, isOver });
    return isOpen ? reply : sendProblems(reply, 503, 'too many streams are open');
  };
  const streamed = { querystring: SINCE, ...answers(200, EVENT_STREAM, 400, 503) };

  app.get('/events', { schema: { summary: 'Events of all jobs as a stream', tags: ['events'], ...streamed } }, (request, reply) => stream(request, reply, null));

  app.get('/jobs/:job/events', { schema: { summary: 'Events of a job as a stream that ends with it', params: NAMED_JOB, tags: ['events'], ...streamed } }, (request: JobRequest, reply) =>
    withJob(request, reply, (job) => stream(request, reply, job)),
  );

  app.get('/timeline', { schema: { summary: 'What the devices did lately, as a Chrome trace', ...answers(200, { type: 'object', additionalProperties: true }, 503) } }, (_request, reply) => {
    const trace = sources.trace();
    if (trace === null) return sendProblems(reply, 503, 'the ranks are not up yet');
    return reply.type('application/json; charset=utf-8').send([...chromeTraceChunks(trace)].join(''));
  });
};
