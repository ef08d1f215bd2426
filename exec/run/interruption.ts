import type { ExecError } from '../exec-error.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Turns the first signal to end this process into an orderly end of the run; returns how to stop listening. */
export const onInterruption = (end: (error: ExecError) => void): (() => void) => {
  const handlers = SIGNALS.map((signal) => ({ signal, handle: () => end({ kind: 'interrupted', by: signal }) }));
  for (const { signal, handle } of handlers) process.once(signal, handle);
  return () => {
    for (const { signal, handle } of handlers) process.off(signal, handle);
  };
};
