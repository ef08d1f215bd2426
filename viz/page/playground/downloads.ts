import { saveText } from '../save-text.ts';
import type { FileKind } from './messages.ts';
import type { Planner } from './planner.ts';
import type { Setup } from './setup.ts';

const FILES: Readonly<Record<FileKind, readonly [name: string, type: string]>> = {
  experiment: ['experiment.yaml', 'application/yaml'],
  plan: ['plan.json', 'application/json'],
  trace: ['trace.json', 'application/json'],
};

const isFileKind = (name: string | undefined): name is FileKind => name !== undefined && Object.hasOwn(FILES, name);

/** Buttons that hand out the experiment, plan and trace of the schedule that is chosen beside them. */
export const bindDownloads = (root: HTMLElement, planner: Planner, setup: () => Setup): void => {
  const variant = root.querySelector<HTMLSelectElement>('select[data-variant]')!;
  root.querySelector('.downloads')!.addEventListener('click', ({ target }) => {
    const file = target instanceof HTMLElement ? target.dataset.file : undefined;
    if (!isFileKind(file)) return;
    const [name, type] = FILES[file];
    void planner.ask({ kind: 'file', file, setup: setup(), variant: variant.value }).then((answer) => {
      if (answer.kind === 'file') saveText(name, type, answer.text);
    });
  });
};
