import type { Problem } from '../../../core/problem.ts';
import type { Chart } from '../chart.ts';
import type { SetupForm } from './form.ts';
import { unpackGaps } from './gap-columns.ts';
import type { Outcome, Run } from './messages.ts';
import type { ReadTrace } from './open-traces.ts';
import { barsMarkup, causesMarkup, type Explained } from './bubbles-markup.ts';
import { comparisonText, metricsMarkup, subtitleOf } from './results-markup.ts';
import type { Setup } from './setup.ts';

/** The part of the page that shows what came of a setup. */
export interface Result {
  readonly showOutcomes: (form: SetupForm, setup: Setup, outcomes: readonly Outcome[]) => void;
  /** Shows why the devices of the runs in the picture wait; what is said of other runs is left out. */
  readonly explain: (explained: readonly Explained[]) => void;
  readonly showRead: (traces: readonly ReadTrace[]) => void;
  readonly say: (sentence: string) => void;
}

const KEPT = 'The picture still shows the last settings that worked.';
const MOST_PROBLEMS = 5;

const ran = (outcome: Outcome): outcome is Outcome & { readonly kind: 'ran' } => outcome.kind === 'ran';

const textOf = ({ path, message }: Problem): string => `${path} ${message}`;

/** Why a schedule is refused; with its name unless the setup's values are wrong for all schedules. */
const refusalOf = (outcome: Outcome, isShared: (each: Problem) => boolean): readonly Problem[] => {
  if (outcome.kind === 'ran') return [];
  const { label, refusal } = outcome;
  if (refusal.kind === 'cannotRun') return [{ path: '', message: `${label}: ${refusal.message}` }];
  return refusal.problems.map((each) => (isShared(each) ? each : { ...each, message: `${label}: ${each.message}` }));
};

const problemsOf = (outcomes: readonly Outcome[]): readonly Problem[] => {
  const wrong = outcomes.map((outcome) => (outcome.kind === 'refused' && outcome.refusal.kind === 'problems' ? outcome.refusal.problems.map(textOf) : []));
  const isShared = (each: Problem): boolean => wrong.every((texts) => texts.includes(textOf(each)));
  const all = outcomes.flatMap((outcome) => refusalOf(outcome, isShared));
  return [...new Map(all.map((each) => [textOf(each), each])).values()];
};

/** Times from an edit and from its answer to the first frame with the picture, for whoever measures the page. */
const measurePicture = (): void => {
  const marked = (name: string): boolean => performance.getEntriesByName(name, 'mark').length > 0;
  requestAnimationFrame(() =>
    setTimeout(() => {
      if (marked('edit')) performance.measure('edit-to-picture', 'edit');
      performance.measure('answer-to-picture', 'answer');
    }),
  );
};

export const createResult = (root: HTMLElement, chart: Chart): Result => {
  const find = (selector: string): HTMLElement => root.querySelector<HTMLElement>(selector)!;
  const say = (sentence: string): void => {
    find('.status').textContent = sentence;
  };
  const sayUnexplained = (): void => {
    find('.bars').replaceChildren();
    find('.causes').textContent = 'A trace of a profiler says when kernels ran, not what they waited for.';
    find('.causes').setAttribute('aria-busy', 'false');
  };
  const explain = (explained: readonly Explained[]): void => {
    const found = chart.traces().flatMap(({ label }, t) => [explained[t], ...explained].find((each) => each?.label === label) ?? []);
    if (found.length < chart.traces().length) {
      if (chart.traces().some(({ trace }) => trace.kernels !== undefined)) sayUnexplained();
      return;
    }
    find('.bars').innerHTML = barsMarkup(found);
    find('.causes').innerHTML = causesMarkup(found);
    find('.causes').setAttribute('aria-busy', 'false');
    chart.giveGaps(found.map(({ explanation }) => unpackGaps(explanation.gaps)));
  };
  const showRuns = (runs: readonly Run[]): void => {
    find('.metrics').innerHTML = metricsMarkup(runs);
    find('.causes').setAttribute('aria-busy', 'true');
    find('.comparison').textContent = comparisonText(runs);
    chart.show(runs.map((run) => ({ label: run.label, subtitle: subtitleOf(run), trace: run.trace })));
  };
  const offerDownloads = (runs: readonly Run[]): void => {
    const options = runs.map(({ label }) => new Option(label, label));
    root.querySelector<HTMLSelectElement>('select[data-variant]')!.replaceChildren(...options);
  };
  return {
    say,
    explain,
    showOutcomes: (form, setup, outcomes) => {
      performance.mark('answer');
      const runs = outcomes.filter(ran);
      const problems = problemsOf(outcomes);
      form.showProblems(problems);
      root.classList.toggle('stale', runs.length === 0);
      if (runs.length === 0) return say(KEPT);
      find('.downloads').hidden = false;
      offerDownloads(runs);
      showRuns(runs);
      say(`Planned and simulated ${setup.jobs.length === 1 ? 'one adapter' : `${setup.jobs.length} adapters`} with ${setup.model} on ${setup.cluster}.`);
      measurePicture();
    },
    showRead: (traces) => {
      const runs = traces.flatMap((each) => (each.kind === 'read' ? [each.run] : []));
      const unread = traces.flatMap((each) =>
        each.kind === 'read'
          ? []
          : each.problems.slice(0, MOST_PROBLEMS).map(({ path, message }) => [each.name, path, message].filter((part) => part !== '').join(': ')),
      );
      say([...(runs.length > 0 ? [`Showing ${runs.map(({ label }) => label).join(' and ')}.`] : []), ...unread].join(' '));
      if (runs.length === 0) return;
      root.classList.remove('stale');
      find('.downloads').hidden = false;
      showRuns(runs);
      explain(traces.flatMap((each) => (each.kind === 'read' && each.explanation !== null ? [{ label: each.run.label, explanation: each.explanation }] : [])));
    },
  };
};
