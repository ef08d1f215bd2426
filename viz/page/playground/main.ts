import { messageOf } from '../../../core/error-message.ts';
import { REPORT_STYLE } from '../../report-style.ts';
import { openTimeline } from '../open-timeline.ts';
import { PAGE_MARKUP } from './page-markup.ts';
import { bindDownloads } from './downloads.ts';
import { createForm } from './form.ts';
import type { Outcome } from './messages.ts';
import { createLatest } from './latest.ts';
import { openGivenTraces, readTraceFile } from './open-traces.ts';
import { PLAYGROUND_STYLE } from './playground-style.ts';
import { startPlanner } from './planner.ts';
import { createResult } from './result.ts';
import { formatSetupLink, readSetupLink } from './setup-link.ts';
import { variantsOf, type Setup } from './setup.ts';

const style = document.createElement('style');
style.textContent = REPORT_STYLE + PLAYGROUND_STYLE;
document.head.append(style);
const main = document.querySelector<HTMLElement>('main')!;
main.innerHTML = PAGE_MARKUP;

const planner = startPlanner();
const planners = [planner, startPlanner()];
const chart = openTimeline(main.querySelector<HTMLElement>('section[aria-labelledby=timeline]')!, { gaps: 'given' });
const result = createResult(main, chart);

/** Two schedules are planned side by side, each in a worker of its own. */
const planAll = async (setup: Setup): Promise<readonly Outcome[]> => {
  const answers = await Promise.all(variantsOf(setup).map((variant, v) => planners[v]!.ask({ kind: 'plan', setup, variant })));
  return answers.flatMap((answer) => (answer.kind === 'planned' ? [answer.outcome] : []));
};

/** Asked for once the picture stands and nothing newer is to be planned. */
const explainAll = async (): Promise<void> => {
  const answers = await Promise.all(planners.map((each) => each.ask({ kind: 'explain' })));
  result.explain(
    answers.flatMap((answer) =>
      answer.kind === 'explained' && answer.explanation !== null ? [{ label: answer.label, explanation: answer.explanation }] : [],
    ),
  );
};

const plan = createLatest(planAll, {
  done: (setup, outcomes) => result.showOutcomes(form, setup, outcomes),
  failed: (error) =>
    result.say(`This is our own failure, please report it: ${messageOf(error)}`),
  busy: (isBusy) => {
    main.setAttribute('aria-busy', String(isBusy));
    if (!isBusy) requestAnimationFrame(() => setTimeout(() => void explainAll()));
  },
});

const edited = (setup: Setup): void => {
  performance.mark('edit');
  history.replaceState(null, '', `#${formatSetupLink(setup)}`);
  plan(setup);
};
const form = createForm(main.querySelector<HTMLFormElement>('form.setup')!, readSetupLink(location.hash), edited);
addEventListener('hashchange', () => {
  form.fill(readSetupLink(location.hash));
  plan(form.setup());
});
bindDownloads(main, planner, () => form.setup());

const picker = main.querySelector<HTMLInputElement>('input[data-open]')!;
picker.addEventListener('change', () => {
  const [file] = picker.files ?? [];
  if (file !== undefined) void readTraceFile(planner, file).then((read) => result.showRead([read]));
});

if (new URLSearchParams(location.search).has('result')) void openGivenTraces(planner).then(result.showRead);
else plan(form.setup());
