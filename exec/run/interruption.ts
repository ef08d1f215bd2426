import type { ExecError } from '../exec-error.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Reports every signal to end this process instead of ending it; returns how to stop listening. */
export const onInterruption = (end: (error: ExecError) => void): (() => void) => {
  const handlers = SIGNALS.map((signal) => ({ signal, handle: () => end({ kind: 'interrupted', by: signal }) }));
  for (const { signal, handle } of handlers) process.on(signal, handle);
  return () => {
    for (const { signal, handle } of handlers) process.off(signal, handle);
  };
};
