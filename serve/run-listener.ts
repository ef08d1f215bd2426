import { join } from 'node:path';
import { formatExecError, type ExecError } from '../exec/exec-error.ts';
import type { LiveEvent } from '../exec/live/live-run.ts';
import { messageOf } from '../core/error-message.ts';
import { dropRows } from './job-files.ts';
import type { Places } from './places.ts';
import { createRecorder, type Recorder } from './recorder.ts';
import type { ServerOptions } from './server-options.ts';
import type { JobBook } from './state/job-book.ts';

/** A lost rank in a clause; what a run on its own would advise is not needed here. */
const lossOf = (error: ExecError): string => {
  switch (error.kind) {
    case 'rankDied':
      return `rank ${error.rank} died: ${error.cause}`;
    case 'rankFailed':
      return `rank ${error.rank} failed: ${error.reason}`;
    case 'connectionLost':
      return `rank ${error.rank} has lost its connection`;
    default:
      return formatExecError(error);
  }
};

/** What the server hears of its run. */
export interface RunListener {
  readonly recorder: Recorder;
  readonly onEvent: (event: LiveEvent) => void;
  readonly isReady: () => boolean;
  readonly fail: (reason: string) => void;
  readonly failed: Promise<string>;
}

export const listenToRun = ({ folder, onNote }: ServerOptions, { rows }: Places, book: JobBook): RunListener => {
  let isReady = false;
  let fail: (reason: string) => void = () => undefined;
  const failed = new Promise<string>((resolve) => (fail = resolve));
  const recorder = createRecorder({
    book,
    onEnded: (job) => void dropRows(join(rows, String(Number.parseInt(job, 10)))),
    onFailure: (error) => fail(`the state in ${folder} cannot be written: ${messageOf(error)}`),
  });
  const onEvent = (event: LiveEvent): void => {
    recorder.onEvent(event);
    if (event.kind === 'ready') isReady = true;
    else if (event.kind === 'rankLost') {
      isReady = false;
      onNote(`${lossOf(event.error)}; its jobs go on from their checkpoints when the ranks are up again`);
    } else if (event.kind === 'ended') fail(formatExecError(event.error));
  };
  return { recorder, onEvent, isReady: () => isReady, fail, failed };
};
