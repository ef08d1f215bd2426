import type { ServedJob } from '../../../core/served-job.ts';

export interface JobActions {
  readonly cancel: (job: ServedJob) => void;
  readonly setPriority: (job: ServedJob, priority: number) => void;
  readonly download: (job: ServedJob) => void;
}

/** Jobs as rows of a table. Rows stay what they are while their values change: nobody loses focus or what they type. */
export interface JobTable {
  readonly element: HTMLElement;
  readonly show: (jobs: readonly ServedJob[]) => void;
}

/** An element with text, which is never markup. */
const make = <K extends keyof HTMLElementTagNameMap>(tag: K, text = '', className = ''): HTMLElementTagNameMap[K] => {
  const element = document.createElement(tag);
  if (text !== '') element.textContent = text;
  if (className !== '') element.className = className;
  return element;
};

const setText = (element: HTMLElement, text: string): void => {
  if (element.textContent !== text) element.textContent = text;
};

const lossText = (loss: number | null): string => loss?.toFixed(3) ?? '–';

interface RowView {
  readonly row: HTMLTableRowElement;
  readonly update: (job: ServedJob) => void;
}

const button = (text: string, label: string, onPress: () => void): HTMLButtonElement => {
  const element = make('button', text);
  element.type = 'button';
  element.setAttribute('aria-label', label);
  element.addEventListener('click', onPress);
  return element;
};

/** Says when a value was chosen: Enter, or another place in the page. */
const priorityInput = (id: string, choose: (priority: number) => void): HTMLInputElement => {
  const input = make('input');
  Object.assign(input, { type: 'number', min: '-1000', max: '1000', step: '1' });
  input.setAttribute('aria-label', `Priority of ${id}`);
  input.addEventListener('change', () => {
    if (input.value !== '' && input.checkValidity()) choose(input.valueAsNumber);
    else input.reportValidity();
  });
  return input;
};

/** Cells that both tables have. */
interface CommonCells {
  readonly name: HTMLElement;
  readonly user: HTMLElement;
  readonly state: HTMLElement;
  readonly loss: HTMLElement;
  readonly heldout: HTMLElement;
}

const makeCommonCells = (): CommonCells => {
  const name = make('th');
  name.scope = 'row';
  return { name, user: make('td', '', 'wide'), state: make('td'), loss: make('td'), heldout: make('td') };
};

const fillCommonCells = ({ name, user, state, loss, heldout }: CommonCells, job: ServedJob): void => {
  setText(name, job.id);
  setText(user, job.user);
  setText(state, job.state);
  state.className = `state-${job.state}`;
  setText(loss, lossText(job.loss));
  setText(heldout, lossText(job.heldoutLoss));
};

const createQueueRow = (first: ServedJob, actions: JobActions): RowView => {
  let job = first;
  const row = make('tr');
  const cells = makeCommonCells();
  const [bar, count] = [make('progress'), make('span')];
  const progress = make('td');
  progress.append(bar, count);
  const input = priorityInput(job.id, (priority) => actions.setPriority(job, priority));
  const priority = make('td');
  priority.append(input);
  const cancel = button('Cancel', `Cancel ${job.id}`, () => actions.cancel(job));
  const last = make('td');
  last.append(cancel);
  row.append(cells.name, cells.user, cells.state, progress, cells.loss, cells.heldout, priority, last);
  return {
    row,
    update: (next) => {
      job = next;
      fillCommonCells(cells, job);
      bar.max = job.iterations ?? 1;
      bar.value = job.iteration;
      bar.setAttribute('aria-label', `Iterations of ${job.id}`);
      setText(count, `${job.iteration} of ${job.iterations ?? '?'}`);
      if (document.activeElement !== input) input.value = String(job.priority);
      cancel.disabled = job.cancelled;
    },
  };
};

const momentText = (iso: string | null): string => (iso === null ? '' : new Date(iso).toLocaleString());

const createFinishedRow = (first: ServedJob, actions: JobActions): RowView => {
  let job = first;
  const row = make('tr');
  const cells = makeCommonCells();
  const [count, end, why] = [make('td'), make('td'), make('td', '', 'wide')];
  const download = button('Adapter', `Download the adapter of ${job.id}`, () => actions.download(job));
  const last = make('td');
  last.append(download);
  row.append(cells.name, cells.user, cells.state, count, cells.loss, cells.heldout, end, last, why);
  return {
    row,
    update: (next) => {
      job = next;
      fillCommonCells(cells, job);
      setText(count, String(job.iteration));
      setText(end, momentText(job.finishedAt));
      setText(why, job.error ?? '');
      download.hidden = job.adapter.length === 0;
    },
  };
};

const KINDS = {
  queue: { columns: ['Job', 'User', 'State', 'Iterations', 'Loss', 'Held-out loss', 'Priority', ''], createRow: createQueueRow, empty: 'No job waits or runs.' },
  finished: { columns: ['Job', 'User', 'End', 'Iterations', 'Loss', 'Held-out loss', 'Ended', '', ''], createRow: createFinishedRow, empty: 'No job has ended yet.' },
} as const;

export const createJobTable = (kind: keyof typeof KINDS, label: string, actions: JobActions): JobTable => {
  const { columns, createRow, empty } = KINDS[kind];
  const rows = new Map<string, RowView>();
  const table = make('table', '', 'jobs');
  table.setAttribute('aria-label', label);
  const head = table.createTHead().insertRow();
  for (const column of columns) {
    const cell = make('th', column);
    cell.scope = 'col';
    head.append(cell);
  }
  const body = table.createTBody();
  const nothing = make('p', empty, 'empty');
  const element = make('div', '', 'scroll');
  element.append(table, nothing);
  return {
    element,
    show: (jobs) => {
      const ids = new Set(jobs.map(({ id }) => id));
      for (const [id, { row }] of rows) {
        if (ids.has(id)) continue;
        row.remove();
        rows.delete(id);
      }
      jobs.forEach((job, place) => {
        const view = rows.get(job.id) ?? createRow(job, actions);
        rows.set(job.id, view);
        view.update(job);
        // Moving a row takes the focus from it, so only what stands in the wrong place moves.
        if (body.rows[place] !== view.row) body.insertBefore(view.row, body.rows[place] ?? null);
      });
      table.hidden = jobs.length === 0;
      nothing.hidden = jobs.length > 0;
    },
  };
};
