import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../../core/error-message.ts';
import { hasEnded, type ServedJob, type ServedLosses, type ServerStatus } from '../../../core/served-job.ts';
import { readChromeTrace } from '../../../core/trace/read-chrome-trace.ts';
import { traceWindow } from '../../../core/trace/trace-window.ts';
import { lossSvg } from '../../loss/loss-svg.ts';
import { REPORT_STYLE } from '../../report-style.ts';
import { PAGE_THEME } from '../../theme.ts';
import { timelineSection } from '../../timeline-markup.ts';
import { openTimeline } from '../open-timeline.ts';
import { saveBlob } from '../save-text.ts';
import { ApiError, createApi, type Api } from './api.ts';
import { DASHBOARD_STYLE } from './dashboard-style.ts';
import { createJobTable, type JobActions } from './job-table.ts';
import { askForToken, dropToken, keepToken, readToken } from './token.ts';

const REFRESH_MS = 500;
const TIMELINE_MS = 2000;
const RETRY_MS = 1500;
const MOST_CURVES = 8;
const MOST_FINISHED = 50;
const MOST_QUEUED = 200;

const MARKUP = `<p class="status quiet" role="status"></p>
<section aria-labelledby="queue"><h2 id="queue">Queue</h2></section>
<section aria-labelledby="losses"><h2 id="losses">Losses</h2><div class="losses"></div></section>
<div class="toolbar"><label><input type="checkbox" data-live checked> Timeline follows the run</label></div>
${timelineSection([])}
<section aria-labelledby="finished"><h2 id="finished">Ended</h2></section>`;

const style = document.createElement('style');
style.textContent = REPORT_STYLE + DASHBOARD_STYLE;
document.head.append(style);
const main = document.querySelector<HTMLElement>('main')!;
const serverLine = document.querySelector<HTMLElement>('#server')!;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const describeServer = ({ name, model, devices, policy, slots, ready, version }: ServerStatus): string =>
  `${name}: ${model} on ${devices.length} ${devices.length === 1 ? 'device' : 'devices'}, ${ready ? 'ready' : 'the ranks are coming up'}. ` +
  `Policy ${policy}, at most ${slots} at once. mlora ${version}.`;

const byTurn = (a: ServedJob, b: ServedJob): number => Number(b.state === 'running') - Number(a.state === 'running') || b.priority - a.priority || a.number - b.number;

const seriesOf = ({ id }: ServedJob, { training, heldout }: ServedLosses) => ({
  name: id,
  training: training.map(([iteration, loss]) => ({ iteration, loss })),
  heldout: heldout.map(([iteration, loss]) => ({ iteration, loss })),
});

const openDashboard = (api: Api): void => {
  main.innerHTML = MARKUP;
  const find = (selector: string): HTMLElement => main.querySelector<HTMLElement>(selector)!;
  const status = find('.status');
  const say = (text: string): void => void (status.textContent = text);
  const chart = openTimeline(find('section[aria-labelledby=timeline]'), { gaps: 'given' });
  const isLive = main.querySelector<HTMLInputElement>('input[data-live]')!;
  const curves = find('.losses');
  let adapters: readonly string[] = [];

  const attempt = async (act: () => Promise<unknown>, done: string): Promise<void> => {
    try {
      await act();
      say(done);
    } catch (error) {
      say(messageOf(error));
    }
    refresh();
  };
  const actions: JobActions = {
    cancel: ({ id }) => void attempt(() => api.cancel(id), `${id} ends at its next iteration end.`),
    setPriority: ({ id }, priority) => void attempt(() => api.setPriority(id, priority), `${id} has priority ${priority}.`),
    download: ({ id, adapter }) =>
      void attempt(async () => {
        for (const file of adapter) saveBlob(`${id}.${file}`, await api.adapterFile(id, file));
      }, `The adapter of ${id} is in your downloads.`),
  };
  const queue = createJobTable('queue', 'Jobs that wait or run', actions);
  const finished = createJobTable('finished', 'Jobs that have ended', actions);
  find('section[aria-labelledby=queue]').append(queue.element);
  find('section[aria-labelledby=finished]').append(finished.element);

  /** The colour of a job's curves is that of its ops. */
  const colourOf = ({ id, number }: ServedJob): number => (adapters.includes(id) ? adapters.indexOf(id) : number);

  const showCurves = async (jobs: readonly ServedJob[]): Promise<void> => {
    const shown = jobs.filter(({ loss }) => loss !== null).slice(0, MOST_CURVES);
    const losses = await Promise.all(shown.map(({ id }) => api.losses(id)));
    curves.innerHTML = shown.map((job, index) => `<figure>${lossSvg(seriesOf(job, losses[index]!), colourOf(job), PAGE_THEME)}</figure>`).join('');
    if (shown.length === 0) curves.innerHTML = '<p class="empty">No job has made an iteration yet.</p>';
  };

  const showJobs = async (): Promise<void> => {
    const [open, ended] = await Promise.all([api.list('unfinished', MOST_QUEUED), api.list('finished', MOST_FINISHED)]);
    const inTurn = [...open].sort(byTurn);
    queue.show(inTurn);
    finished.show(ended);
    document.title = `${open.length} ${open.length === 1 ? 'job' : 'jobs'}, mlora`;
    await showCurves([...inTurn, ...ended.filter(({ state }) => hasEnded(state))]);
  };

  let isStale = false;
  let isBusy = false;
  /** Once soon, however often it is called. */
  const refresh = (): void => {
    isStale = true;
    if (isBusy) return;
    isBusy = true;
    void (async () => {
      while (isStale) {
        isStale = false;
        await showJobs().catch(lost);
        await sleep(REFRESH_MS);
      }
      isBusy = false;
    })();
  };

  const lost = (error: unknown): void => {
    say(messageOf(error));
    if (error instanceof ApiError && error.status === 401) signOut(error.message);
  };

  const showTimeline = async (): Promise<void> => {
    const trace = readChromeTrace(await api.timeline());
    if (E.isLeft(trace) || trace.right.spans.length === 0) return;
    adapters = trace.right.plan.adapters;
    // The end of a run that may have begun a month ago.
    const firstNs = trace.right.spans.startNs.reduce((least, startNs) => Math.min(least, startNs), Infinity);
    chart.show([{ label: 'Measured', subtitle: '', trace: traceWindow(trace.right, firstNs, Infinity) }]);
  };

  const followTimeline = async (): Promise<void> => {
    while (main.contains(status)) {
      if (isLive.checked && !document.hidden) await showTimeline().catch(() => undefined);
      await sleep(TIMELINE_MS);
    }
  };

  const follow = async (): Promise<void> => {
    while (main.contains(status)) {
      try {
        const known = await api.status();
        serverLine.textContent = describeServer(known);
        say('');
        refresh();
        await api.listen(known.lastEvent, refresh);
        say('The line to the server was cut; trying again.');
      } catch (error) {
        lost(error);
      }
      await sleep(RETRY_MS);
    }
  };
  void follow();
  void followTimeline();
};

const open = (token: string): void => {
  keepToken(token);
  openDashboard(createApi(token));
};

const signOut = (reason: string): void => {
  dropToken();
  askForToken(main, reason, open);
};

const token = readToken();
if (token === null) askForToken(main, '', open);
else open(token);
