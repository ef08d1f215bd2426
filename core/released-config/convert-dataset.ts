import { show } from '../problem.ts';
import { convertTemplate, type TwoPartTemplate } from './template.ts';
import { createTaker, said, type Notes, type Written } from './written-keys.ts';

export interface DatasetOptions {
  /** A parsed prompt file by the path that a dataset writes; null: it cannot be read. */
  readonly promptFile: (path: string) => unknown;
  /** A path of the configuration as the experiment file has to write it. */
  readonly relocate: (path: string) => string;
}

const readTemplate = (prompt: unknown, path: string, at: string, { promptFile }: DatasetOptions, notes: Notes): TwoPartTemplate | null => {
  const template = typeof prompt === 'string' ? convertTemplate(promptFile(prompt)) : null;
  if (template === null) notes.unmapped.push(`${path}.prompt ${show(prompt)}: cannot be read, or is no prompt file; write ${at}.prompt and completion yourself`);
  else notes.mapped.push(`${path}.prompt ${show(prompt)} → ${at}.prompt and completion`);
  for (const note of template?.notes ?? []) notes.unmapped.push(`${path}.prompt ${show(prompt)}: ${note}`);
  return template;
};

/** Key `data` of the job at `at`; null: rows that have no place here. */
export const convertDataset = (written: Written, path: string, at: string, options: DatasetOptions, notes: Notes): Written | null => {
  const keys = createTaker(written, path, notes);
  keys.use('name');
  const kind = keys.use('prompt_type');
  if (kind !== undefined && kind !== 'instruction') {
    notes.unmapped.push(`${path}.prompt_type ${show(kind)}: only instructions have a place here`);
    return null;
  }
  const train = keys.take('data', `${at}.data.train`);
  const template = readTemplate(keys.use('prompt'), path, `${at}.data`, options, notes);
  const order = keys.use('preprocess');
  if (order === 'shuffle') notes.mapped.push(`${path}.preprocess "shuffle" → ${at}.data.order; here each epoch is shuffled anew`);
  else if (order !== undefined) notes.unmapped.push(`${path}.preprocess ${show(order)}: rows are shuffled here, or taken longest first`);
  keys.end();
  if (typeof train !== 'string') return null;
  // The released code trains on the whole text. Without a template the reader asks for one: nothing trains on a guess.
  return { train: options.relocate(train), ...said({ prompt: template?.prompt, completion: template?.completion }), loss: 'all', order: 'shuffled' };
};
