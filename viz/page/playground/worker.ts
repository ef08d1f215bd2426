/** Planning, simulating and reading happen here, so that the page answers while they go on. */
import * as E from 'fp-ts/lib/Either.js';
import { splitIdle } from '../../../core/explain/idle.ts';
import { formatExperiment } from '../../../core/experiment/format.ts';
import { formatPlanFile } from '../../../core/experiment/plan-file-text.ts';
import { formatChromeTrace } from '../../../core/trace/chrome-trace.ts';
import { readAnyTrace } from '../../../core/trace/read-chrome-trace.ts';
import { summarize } from '../../../core/trace/summary.ts';
import type { Trace } from '../../../core/trace/trace.ts';
import { packGaps } from './gap-columns.ts';
import type { Answer, Explanation, FileKind, Numbered, Outcome, Request, Run } from './messages.ts';
import { planSetup, type Planned } from './plan-setup.ts';
import type { Setup } from './setup.ts';
import { buffersOf } from './transfer.ts';

const runOf = (label: string, trace: Trace): Run => ({ label, trace, summary: summarize(trace) });

const explain = (trace: Trace): Explanation | null => {
  if (trace.kernels !== undefined) return null;
  const { windowNs, devices, total, gaps } = splitIdle(trace);
  return { windowNs, devices, total, gaps: packGaps(gaps) };
};

/** What was planned last: explained when it is asked for, after its picture is drawn. */
let last: Run | null = null;

const outcomeOf = (setup: Setup, label: string): Outcome => {
  const result = planSetup(setup, label);
  if (E.isLeft(result)) return { kind: 'refused', label, refusal: result.left };
  last = runOf(label, result.right.trace);
  return { kind: 'ran', ...last };
};

const FORMATS: Readonly<Record<FileKind, (planned: Planned) => string>> = {
  experiment: ({ experiment }) => formatExperiment(experiment),
  plan: formatPlanFile,
  trace: ({ trace }) => formatChromeTrace(trace),
};

const readRun = (name: string, text: string): Answer => {
  const trace = readAnyTrace(text);
  if (E.isLeft(trace)) return { kind: 'unreadable', problems: trace.left };
  return { kind: 'read', run: runOf(name, trace.right), explanation: explain(trace.right) };
};

const answer = (request: Request): Answer => {
  switch (request.kind) {
    case 'plan':
      return { kind: 'planned', outcome: outcomeOf(request.setup, request.variant) };
    case 'file': {
      const planned = planSetup(request.setup, request.variant);
      if (E.isLeft(planned)) throw new Error('only what has run is downloaded');
      return { kind: 'file', text: FORMATS[request.file](planned.right) };
    }
    case 'explain':
      return { kind: 'explained', label: last?.label ?? '', explanation: last === null ? null : explain(last.trace) };
    case 'read':
      return readRun(request.name, request.text);
  }
};

/**
 * The first plans of a fresh worker take several times as long as later ones, because its code is not compiled yet. What
 * was planned is therefore planned again a few times while nobody waits, so that the first edit is as quick as the tenth.
 */
const WARM_UPS = 6;
/** Plans that take longer are not repeated: an edit might have to wait for it. */
const LONGEST_WARM_UP_MS = 300;
/** Leaves the page's own questions about the plan their turn. */
const WARM_UP_DELAY_MS = 50;
let warmUpsLeft = WARM_UPS;
let warming: ReturnType<typeof setTimeout> | undefined;
/** The plan to repeat; null: none. */
let familiar: { readonly setup: Setup; readonly variant: string } | null = null;

const warmUpSoon = (): void => {
  clearTimeout(warming);
  if (familiar === null || warmUpsLeft === 0) return;
  const { setup, variant } = familiar;
  warming = setTimeout(() => {
    warmUpsLeft--;
    planSetup(setup, variant);
    warmUpSoon();
  }, WARM_UP_DELAY_MS);
};

addEventListener('message', ({ data }: MessageEvent<Numbered<Request>>) => {
  const start = performance.now();
  const message: Numbered<Answer> = { number: data.number, body: answer(data.body) };
  // A run that may have to be explained is copied, everything else handed over.
  postMessage(message, message.body.kind === 'planned' ? {} : { transfer: buffersOf(message) });
  if (data.body.kind === 'plan') familiar = performance.now() - start < LONGEST_WARM_UP_MS ? data.body : null;
  warmUpSoon();
});
