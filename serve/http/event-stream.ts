import { once } from 'node:events';
import type { FastifyReply } from 'fastify';
import type { ServedEvent } from '../../core/served-job.ts';
import type { Recorder } from '../recorder.ts';
import type { EventFilter } from '../state/job-book.ts';

const BATCH = 500;
/** Proxies cut lines on which nothing is said for a minute. */
const HEARTBEAT_MS = 15_000;

export interface StreamSource {
  readonly events: (filter: EventFilter) => readonly ServedEvent[];
  readonly onNews: Recorder['onNews'];
}

export interface StreamRequest {
  /** Number of a job, whose stream ends with it; null: all jobs, without end. */
  readonly job: number | null;
  /** Events up to this one are known. */
  readonly after: number;
  /** Nothing more will come: the stream ends behind what there is. */
  readonly isOver: boolean;
}

/** Streams of events, as Server-Sent Events; a client that comes back says with `Last-Event-ID` what it has. */
export interface EventStreams {
  /** False where there are too many. */
  readonly open: (reply: FastifyReply, wanted: StreamRequest) => boolean;
  readonly closeAll: () => void;
}

const textOf = (event: ServedEvent): string => `id: ${event.sequence}\nevent: ${event.kind}\ndata: ${JSON.stringify(event)}\n\n`;

/** A wait that whoever has news cuts short. */
const createSignal = (): { readonly raise: () => void; readonly wait: () => Promise<void> } => {
  let raised = false;
  let wake: (() => void) | null = null;
  return {
    raise: () => {
      raised = true;
      wake?.();
    },
    wait: async () => {
      if (!raised) await new Promise<void>((resolve) => (wake = resolve));
      raised = false;
      wake = null;
    },
  };
};

export const createEventStreams = (source: StreamSource, mostStreams: number): EventStreams => {
  const open = new Set<AbortController>();

  const pump = async (reply: FastifyReply, { job, after, isOver }: StreamRequest, closed: AbortSignal): Promise<void> => {
    const { raw } = reply;
    const signal = createSignal();
    const heartbeat = setInterval(() => raw.write(': still here\n\n'), HEARTBEAT_MS);
    const stopListening = source.onNews(signal.raise);
    closed.addEventListener('abort', signal.raise);
    try {
      for (let last = after; !closed.aborted; ) {
        const events = source.events({ job, after: last, limit: BATCH });
        // A client that does not read must not fill this process's memory.
        const isTaken = events.length === 0 || raw.write(events.map(textOf).join(''));
        last = events.at(-1)?.sequence ?? last;
        if (job !== null && events.some(({ kind }) => kind === 'finished')) return;
        if (!isTaken) await once(raw, 'drain', { signal: closed });
        else if (events.length < BATCH) {
          if (isOver) return;
          await signal.wait();
        }
      }
    } finally {
      clearInterval(heartbeat);
      stopListening();
    }
  };

  return {
    open: (reply, wanted) => {
      if (open.size >= mostStreams) return false;
      const controller = new AbortController();
      open.add(controller);
      reply.raw.once('close', () => controller.abort());
      reply.hijack();
      reply.raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-content-type-options': 'nosniff',
      });
      reply.raw.write('retry: 1000\n\n');
      void pump(reply, wanted, controller.signal)
        .catch(() => undefined)
        .finally(() => {
          open.delete(controller);
          reply.raw.end();
        });
      return true;
    },
    closeAll: () => {
      for (const controller of open) controller.abort();
    },
  };
};
