import { messageOf } from '../../../core/error-message.ts';
import { problem, type Problems } from '../../../core/problem.ts';
import type { Explanation, Run } from './messages.ts';
import type { Planner } from './planner.ts';

/** A trace file that was read, or what is wrong with it. */
export type ReadTrace =
  | { readonly kind: 'read'; readonly run: Run; readonly explanation: Explanation | null }
  | { readonly kind: 'unreadable'; readonly name: string; readonly problems: Problems };

const GZIP_MAGIC = [0x1f, 0x8b];

/** A file's text, unpacked where it is a gzip file, as profilers write them. */
const textOf = async (file: Blob): Promise<string> => {
  const head = new Uint8Array(await file.slice(0, GZIP_MAGIC.length).arrayBuffer());
  const isGzip = GZIP_MAGIC.every((byte, index) => head[index] === byte);
  return isGzip ? new Response(file.stream().pipeThrough(new DecompressionStream('gzip'))).text() : file.text();
};

const read = async (planner: Planner, name: string, text: string): Promise<ReadTrace> => {
  const answer = await planner.ask({ kind: 'read', name, text });
  if (answer.kind === 'read') return answer;
  const problems: Problems = answer.kind === 'unreadable' ? answer.problems : [problem('', 'could not be read')];
  return { kind: 'unreadable', name, problems };
};

const failed = (name: string, error: unknown): ReadTrace => ({
  kind: 'unreadable',
  name,
  problems: [problem('', `cannot be read: ${messageOf(error)}`)],
});

/** Reads a file that the reader picked. */
export const readTraceFile = async (planner: Planner, file: File): Promise<ReadTrace> => {
  try {
    return await read(planner, file.name, await textOf(file));
  } catch (error) {
    return failed(file.name, error);
  }
};

/** A trace as `mlora view` hands it out. */
interface GivenTrace {
  readonly label: string;
  readonly path: string;
}

/** Reads the traces that `mlora view` was started with, from the server the page came from. */
export const openGivenTraces = async (planner: Planner): Promise<readonly ReadTrace[]> => {
  const given = (await (await fetch('results.json')).json()) as readonly GivenTrace[];
  return Promise.all(
    given.map(async ({ label, path }) => {
      try {
        return await read(planner, label, await textOf(await (await fetch(path)).blob()));
      } catch (error) {
        return failed(label, error);
      }
    }),
  );
};
