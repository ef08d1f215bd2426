import { readFile } from 'node:fs/promises';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { problem } from '../core/problem.ts';
import { createClient, formatClientError, type Client, type ClientError, type ServerAddress } from '../serve/client.ts';
import { serverPlaces } from '../serve/places.ts';
import { TOKEN_VARIABLE } from '../serve/token.ts';
import { badInput, type Failure } from './failure.ts';

/** Of every command that talks to a server. */
export interface ServerFlags {
  /** Folder of the server's state, where address and token are found. */
  readonly state: string;
  /** Address, instead of the one in the folder. */
  readonly server?: string;
}

const ADDRESS_VARIABLE = 'MLORA_SERVER';

const readHere = async (path: string): Promise<string | undefined> => (await readFile(path, 'utf8').catch(() => undefined))?.trim();

const missing = (what: string, state: string, otherwise: string): Failure =>
  badInput(state, [problem('', `holds no ${what}; is a server running on this folder? Otherwise say ${otherwise}`)]);

const findServer = (flags: ServerFlags): TE.TaskEither<Failure, ServerAddress> => async () => {
  const places = serverPlaces(flags.state);
  const url = flags.server ?? process.env[ADDRESS_VARIABLE] ?? (await readHere(places.address));
  if (url === undefined) return TE.left(missing('address', flags.state, `where it listens with --server or ${ADDRESS_VARIABLE}`))();
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    return TE.left(badInput('--server', [problem('', `is ${JSON.stringify(url)}; expected an address like http://127.0.0.1:7070`)]))();
  }
  const token = process.env[TOKEN_VARIABLE] ?? (await readHere(places.token));
  return token === undefined ? TE.left(missing('token', flags.state, `it with ${TOKEN_VARIABLE}`))() : TE.right({ url, token })();
};

/** 2 for what the user can mend, 1 where the server cannot be reached. */
export const clientFailure =
  (what: string) =>
  (error: ClientError): Failure => {
    const message = formatClientError(error, what);
    if (error.kind === 'unreachable' || error.status >= 500) return { kind: 'failed', message };
    const [first, ...rest] = error.body.problems;
    return badInput(what, first === undefined ? [problem('', error.body.error)] : [first, ...rest]);
  };

/** Runs what a command wants of its server. */
export const withServer = <T>(flags: ServerFlags, use: (client: Client) => TE.TaskEither<Failure, T>): TE.TaskEither<Failure, T> =>
  pipe(
    findServer(flags),
    TE.chain((address) => use(createClient(address))),
  );
