import type { RunKey } from './run-key.ts';

/** What all lines of a run have in common. */
export interface LineOptions {
  /** Who may connect; null on lines that do not leave the machine. */
  readonly key: RunKey | null;
  /** A line that says nothing for so long is lost: a cable that was cut says nothing itself. */
  readonly silenceSeconds: number;
}

/** Long enough for a network that reroutes; well above the pauses of a busy machine. */
const SILENCE_SECONDS = 20;

export const LOCAL_LINE: LineOptions = { key: null, silenceSeconds: SILENCE_SECONDS };

/** ZeroMQ's own threads ask and answer, whatever the process computes. */
const heartbeat = ({ silenceSeconds }: LineOptions) => ({
  heartbeatInterval: 250 * silenceSeconds,
  heartbeatTimeout: 1000 * silenceSeconds,
});

/** Socket options of the end that listens. */
export const listening = (line: LineOptions) => ({
  linger: 0,
  ...heartbeat(line),
  ...(line.key === null ? {} : { curveServer: true, curveSecretKey: line.key.curveSecretKey }),
});

/** Socket options of the end that connects. */
export const connecting = (line: LineOptions) => ({
  linger: 0,
  ...heartbeat(line),
  ...(line.key === null
    ? {}
    : { curveServerKey: line.key.curvePublicKey, curvePublicKey: line.key.curvePublicKey, curveSecretKey: line.key.curveSecretKey }),
});

/** Events of a connecting socket whose other end has another key, or is something else altogether. */
export const HANDSHAKE_ERRORS = ['handshake:error:protocol', 'handshake:error:auth', 'handshake:error:other'] as const;
