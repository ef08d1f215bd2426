import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { basename, join } from 'node:path';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { messageOf } from '../../core/error-message.ts';
import { problem } from '../../core/problem.ts';
import { badInput, type Failure } from '../failure.ts';
import { servePage, type GivenTrace } from '../serve-page.ts';

export interface ViewFlags {
  /** 0: any free one. */
  readonly port: number;
}

/** `mlora view`: serves the page on this machine until it is interrupted, with a result opened in it. */
export const viewCommand = (paths: readonly string[], { port }: ViewFlags): TE.TaskEither<Failure, void> =>
  pipe(
    paths,
    TE.traverseSeqArray(findTraces),
    TE.map((found) => found.flat()),
    TE.chain((traces) => serve(port, traces)),
  );

/** Names that results have, simulated above measured; anything else in a folder that ends in .trace.json follows. */
const KNOWN = ['trace.json', 'simulated.trace.json', 'measured.trace.json'];

const labelOf = (file: string): string => {
  const name = basename(file, '.json').replace(/\.trace$/, '');
  return name === 'trace' ? 'simulated' : name;
};

const tracesOf = async (path: string): Promise<readonly GivenTrace[]> => {
  if (!(await stat(path)).isDirectory()) return [{ label: labelOf(path), file: path }];
  const names = await readdir(path);
  const others = names.filter((name) => name.endsWith('.trace.json') && !KNOWN.includes(name)).sort();
  return [...KNOWN.filter((name) => names.includes(name)), ...others].map((name) => ({
    label: labelOf(name),
    file: join(path, name),
  }));
};

/** The traces of a file or of a folder with results; a folder without any is bad input. */
const findTraces = (path: string): TE.TaskEither<Failure, readonly GivenTrace[]> =>
  pipe(
    TE.tryCatch(
      () => tracesOf(path),
      (error) => badInput(path, [problem('', `cannot be read: ${messageOf(error)}`)]),
    ),
    TE.filterOrElse(
      (traces) => traces.length > 0,
      () => badInput(path, [problem('', `has no trace; expected ${KNOWN.join(', ')} or another *.trace.json`)]),
    ),
  );

const serve = (port: number, traces: readonly GivenTrace[]): TE.TaskEither<Failure, void> =>
  pipe(
    TE.tryCatch(
      () => servePage(port, traces),
      (error) => badInput('--port', [problem('', `cannot serve on port ${port}: ${messageOf(error)}`)]),
    ),
    TE.chainTaskK((server) => async () => {
      const address = server.address() as AddressInfo;
      process.stdout.write(`http://127.0.0.1:${address.port}/${traces.length > 0 ? '?result' : ''}\n`);
      process.stderr.write('open this address in a browser; Ctrl-C ends it\n');
      process.once('SIGINT', () => {
        server.closeAllConnections();
        server.close();
      });
      await once(server, 'close');
    }),
  );
