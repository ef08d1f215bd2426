import type { ServedJob, ServedLosses, ServedProblems, ServerStatus } from '../../../core/served-job.ts';

/** The server said no, or did not answer (status 0). */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The server that the page came from. */
export interface Api {
  readonly status: () => Promise<ServerStatus>;
  readonly list: (state: 'unfinished' | 'finished', limit: number) => Promise<readonly ServedJob[]>;
  readonly losses: (job: string) => Promise<ServedLosses>;
  readonly cancel: (job: string) => Promise<ServedJob>;
  readonly setPriority: (job: string, priority: number) => Promise<ServedJob>;
  readonly adapterFile: (job: string, file: string) => Promise<Blob>;
  /** Text of a trace of what the devices did lately. */
  readonly timeline: () => Promise<string>;
  /** Tells whenever events come; ends when the line does. */
  readonly listen: (after: number, onEvents: () => void) => Promise<void>;
}

const sentenceOf = async (response: Response): Promise<string> => {
  try {
    const { error, problems } = (await response.json()) as ServedProblems;
    return [error, ...problems.map(({ path, message }) => `${path} ${message}`)].join('; ');
  } catch {
    return `the server answers ${response.status}`;
  }
};

export const createApi = (token: string): Api => {
  const send = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(`v1/${path}`, { method, ...content, headers: { authorization: `Bearer ${token}`, ...type } }).catch(() => {
      throw new ApiError(0, 'the server does not answer');
    });
    if (!response.ok) throw new ApiError(response.status, await sentenceOf(response));
    return response;
  };
  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> => (await (await send(method, path, body)).json()) as T;
  const jobPath = (job: string): string => `jobs/${encodeURIComponent(job)}`;

  return {
    status: () => ask('GET', 'status'),
    list: async (state, limit) => (await ask<{ readonly jobs: readonly ServedJob[] }>('GET', `jobs?state=${state}&limit=${limit}`)).jobs,
    losses: (job) => ask('GET', `${jobPath(job)}/losses?points=400`),
    cancel: (job) => ask('POST', `${jobPath(job)}/cancel`),
    setPriority: (job, priority) => ask('PATCH', jobPath(job), { priority }),
    adapterFile: async (job, file) => (await send('GET', `${jobPath(job)}/adapter/${encodeURIComponent(file)}`)).blob(),
    timeline: async () => (await send('GET', 'timeline')).text(),
    listen: async (after, onEvents) => {
      const reader = (await send('GET', `events?after=${after}`)).body!.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        if (/^data: /m.test(value)) onEvents();
      }
    },
  };
};
