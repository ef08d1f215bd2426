import * as E from 'fp-ts/lib/Either.js';
import type { StartLiveRun } from './live-run.ts';

/** Stands in until live runs are there. */
export const startLiveRun: StartLiveRun = () => () => Promise.resolve(E.left({ kind: 'backendUnavailable', backend: 'live', reasons: ['live runs are not built yet'] }));
