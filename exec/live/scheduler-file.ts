import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { messageOf } from '../../core/error-message.ts';
import { problem } from '../../core/problem.ts';
import { isRecord } from '../../core/structure.ts';
import type { SchedulerState } from '../../core/scheduler/scheduler.ts';
import { writeFileAtomically } from '../checkpoint/write-files.ts';
import type { ExecError } from '../exec-error.ts';

/*
 * What the scheduler has learnt beyond single jobs. Jobs are not in it: they are submitted again, and where they stand is
 * in their checkpoints.
 */

const numbers = z.array(z.number());
const size = z.object({ rows: z.number(), length: z.number(), targets: z.number() });
const observation = z.object({ sizes: z.array(size), ledgerBytes: numbers, passBytes: numbers, heldBytes: numbers });
const schema = z.object({
  version: z.literal(2),
  serviceNs: z.record(z.string(), z.number()),
  memory: z.record(z.string(), z.array(observation)),
  sweeps: z.record(
    z.string(),
    z.object({
      submitted: z.number(),
      refused: z.number().default(0),
      ended: z.number().default(0),
      active: z.number(),
      results: z.array(z.array(z.object({ job: z.string(), loss: z.number() }))),
      promoted: z.array(z.array(z.string())),
    }),
  ),
});

export type LearntState = Pick<SchedulerState, 'serviceNs' | 'memory' | 'sweeps'>;

export const NOTHING_LEARNT: LearntState = { serviceNs: {}, memory: {}, sweeps: {} };

const fileOf = (folder: string): string => join(folder, 'scheduler.json');

/** Before version 2 sizes were those of rows, not of what attends in one block: that memory is learnt anew. */
const inVersion2 = (written: unknown): unknown => (isRecord(written) && written.version === 1 ? { ...written, version: 2, memory: {} } : written);

export const readLearnt = async (folder: string): Promise<E.Either<ExecError, LearntState>> => {
  const file = fileOf(folder);
  const bad = (message: string): E.Either<ExecError, never> => E.left({ kind: 'badInput', files: [{ file, problems: [problem('', message)] }] });
  try {
    const read = schema.safeParse(inVersion2(JSON.parse(await readFile(file, 'utf8'))));
    return read.success ? E.right(read.data) : bad('is no state of a scheduler of this version; without the file it starts afresh');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return E.right(NOTHING_LEARNT);
    return bad(`cannot be read: ${messageOf(error)}`);
  }
};

/** Trials that have not finished, or were refused, count when they are submitted again. */
export const writeLearnt = async (folder: string, { serviceNs, memory, sweeps, jobs }: LearntState & Pick<SchedulerState, 'jobs'>): Promise<void> => {
  const unfinished = (name: string): number => jobs.filter(({ spec }) => spec.sweep?.name === name).length;
  const settled = Object.entries(sweeps).map(([name, sweep]) => [name, { ...sweep, submitted: sweep.submitted - unfinished(name), refused: 0, active: 0 }] as const);
  const content: z.output<typeof schema> = structuredClone({ version: 2, serviceNs, memory, sweeps: Object.fromEntries(settled) }) as z.output<typeof schema>;
  await writeFileAtomically(fileOf(folder), [Buffer.from(JSON.stringify(content))]);
};
