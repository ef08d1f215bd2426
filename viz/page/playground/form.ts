import type { Problem } from '../../../core/problem.ts';
import { formMarkup, jobRows } from './form-markup.ts';
import { anotherJob, PRESETS } from './presets.ts';
import { CUSTOM, type JobSetup, type Setup } from './setup.ts';
import { MOST_JOBS } from './setup-link.ts';

/** The form in its element. */
export interface SetupForm {
  readonly setup: () => Setup;
  /** Shows another setup; nobody is told. */
  readonly fill: (setup: Setup) => void;
  /** Puts every problem beside the control it is about, and takes away those of before. */
  readonly showProblems: (problems: readonly Problem[]) => void;
}

type Control = HTMLInputElement | HTMLSelectElement;

const PLAIN = ['model', 'precision', 'cluster', 'microbatches', 'first', 'second'] as const;
const CLUSTER = ['gpu', 'machines', 'devices', 'link', 'bandwidth', 'network'] as const;

/** How much of a problem's path a control stands for; −1 where it is about something else. */
const closeness = (path: string, { path: problemPath }: Problem): number => {
  const inside = problemPath === path || problemPath.startsWith(`${path}.`) || problemPath.startsWith(`${path}[`);
  const around = path.startsWith(`${problemPath}.`) || path.startsWith(`${problemPath}[`);
  return inside ? path.length : around ? 0 : -1;
};

const controlFor = (controls: readonly Control[], found: Problem): Control | null => {
  let best: Control | null = null;
  let most = 0;
  for (const control of controls) {
    const close = control.closest('[hidden]') === null ? closeness(control.dataset.path ?? '', found) : -1;
    if (close > most) [best, most] = [control, close];
  }
  return best;
};

/** Builds the form; `onEdit` hears of every change by hand. */
export const createForm = (element: HTMLFormElement, first: Setup, onEdit: (setup: Setup) => void): SetupForm => {
  let jobs: readonly JobSetup[] = first.jobs;

  const controls = (): readonly Control[] => [...element.querySelectorAll<Control>('[data-path]')];
  const named = (name: string): string => element.querySelector<Control>(`[name="${name}"]`)!.value;
  const valuesOf = <K extends string>(names: readonly K[]): Record<K, string> =>
    Object.fromEntries(names.map((name) => [name, named(name)])) as Record<K, string>;
  const setup = (): Setup => ({ ...valuesOf(PLAIN), custom: valuesOf(CLUSTER), jobs });
  const fill = (next: Setup): void => {
    jobs = next.jobs;
    element.innerHTML = formMarkup(next);
  };
  const setJobs = (next: readonly JobSetup[]): void => {
    jobs = next;
    element.querySelector('.jobs tbody')!.innerHTML = jobRows(jobs);
    onEdit(setup());
  };
  const edit = (control: Control): void => {
    const { preset, job, key } = control.dataset;
    if (preset !== undefined) {
      const chosen = PRESETS[Number(control.value)];
      if (control.value === '' || chosen === undefined) return;
      fill(chosen.setup);
      element.querySelector<HTMLSelectElement>('[data-preset]')!.value = control.value;
      element.querySelector<HTMLSelectElement>('[data-preset]')!.focus();
    } else {
      element.querySelector<HTMLSelectElement>('[data-preset]')!.value = '';
    }
    if (job !== undefined) jobs = jobs.map((each, j) => (j === Number(job) ? { ...each, [key!]: control.value } : each));
    element.querySelector<HTMLElement>('.custom')!.hidden = named('cluster') !== CUSTOM;
    onEdit(setup());
  };
  element.addEventListener('input', ({ target }) => {
    if (target instanceof HTMLInputElement || target instanceof HTMLSelectElement) edit(target);
  });
  element.addEventListener('submit', (event) => event.preventDefault());
  element.addEventListener('click', ({ target }) => {
    if (!(target instanceof HTMLButtonElement)) return;
    const { add, remove } = target.dataset;
    if (add !== undefined && jobs.length < MOST_JOBS) {
      setJobs([...jobs, anotherJob(jobs)]);
      element.querySelector<HTMLElement>(`[data-job="${jobs.length - 1}"]`)?.focus();
    }
    if (remove !== undefined) {
      setJobs(jobs.filter((_, j) => j !== Number(remove)));
      element.querySelector<HTMLElement>('[data-add]')!.focus();
    }
  });
  fill(first);

  const clearProblems = (): void => {
    for (const place of element.querySelectorAll('.problem')) place.textContent = '';
    for (const control of controls()) control.removeAttribute('aria-invalid');
  };
  return {
    setup,
    fill,
    showProblems: (problems) => {
      clearProblems();
      for (const found of problems) {
        const control = controlFor(controls(), found);
        control?.setAttribute('aria-invalid', 'true');
        const id = control?.getAttribute('aria-describedby') ?? 'problem-other';
        const place = element.querySelector(`[id="${id}"]`)!;
        const text = control === null ? `${found.path} ${found.message}` : sentenceOf(control, found);
        place.textContent = [place.textContent, text].filter((part) => part !== '').join(' · ');
      }
    },
  };
};

/** A problem of a job says which of its values it is about; other places speak for themselves. */
const sentenceOf = ({ dataset }: Control, { path, message }: Problem): string =>
  dataset.job === undefined ? message : `${path.replace(/^jobs\[\d+\]\.?/, '')} ${message}`;
