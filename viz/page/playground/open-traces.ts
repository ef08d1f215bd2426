import { problem, type Problems } from '../../../core/problem.ts';
import type { Explanation, Run } from './messages.ts';
import type { Planner } from './planner.ts';

/** A trace file that was read, or what is wrong with it. */
export type ReadTrace =
  | { readonly kind: 'read'; readonly run: Run; readonly explanation: Explanation | null }
  | { readonly kind: 'unreadable'; readonly name: string; readonly problems: Problems };

const read = async (planner: Planner, name: string, text: string): Promise<ReadTrace> => {
  const answer = await planner.ask({ kind: 'read', name, text });
  if (answer.kind === 'read') return answer;
  const problems: Problems = answer.kind === 'unreadable' ? answer.problems : [problem('', 'could not be read')];
  return { kind: 'unreadable', name, problems };
};

const failed = (name: string, error: unknown): ReadTrace => ({
  kind: 'unreadable',
  name,
  problems: [problem('', `cannot be read: ${error instanceof Error ? error.message : String(error)}`)],
});

/** Reads a file that the reader picked. */
export const readTraceFile = async (planner: Planner, file: File): Promise<ReadTrace> => {
  try {
    return await read(planner, file.name, await file.text());
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
        return await read(planner, label, await (await fetch(path)).text());
      } catch (error) {
        return failed(label, error);
      }
    }),
  );
};
