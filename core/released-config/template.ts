/**
 * Prompt files of the code released with the mLoRA paper: YAML with a Jinja template over `data_point` (Python's engine),
 * before that JSON with Python format strings. Our templates print the fields of a row themselves, in two parts.
 */
import { isRecord } from '../structure.ts';

/** A prompt as `data` of a job has it; both parts carry loss in the released code. */
export interface TwoPartTemplate {
  readonly prompt: string;
  readonly completion: string;
  /** What reads differently here; sentences. */
  readonly notes: readonly string[];
}

/** Prints nothing: a prompt may not be empty. */
const NOTHING = '{{ "" }}';

const FIELD = /data_point\s*(?:\[\s*(['"])(\w+)\1\s*\]|\.(\w+))/g;
const TEST = /(['"])(\w+)\1\s+(not\s+)?in\s+data_point/g;

/** Our engine drops the newline after a block tag and blanks before one, Python's does not. */
const keepNewlines = (text: string): string => text.replace(/%\}\n/g, '%}\n\n');

/** Where the last printed field begins that stands in no block; -1 where there is none. */
const lastPrint = (template: string): number => {
  let depth = 0;
  let last = -1;
  for (const { 0: tag, index } of template.matchAll(/\{%-?\s*(\w+)|\{\{/g)) {
    if (tag === '{{') last = depth === 0 ? index : last;
    else if (/\b(if|for|macro|call|filter|set)$/.test(tag)) depth += tag.endsWith('set') ? 0 : 1;
    else if (/\bend(if|for|macro|call|filter)$/.test(tag)) depth -= 1;
  }
  return last;
};

const fromJinja = (written: string): TwoPartTemplate => {
  // Python's engine drops one newline at the end.
  const fields = written
    .replace(/\n$/, '')
    .replace(TEST, (_, _quote, name: string, not: string | undefined) => `${name} is ${not === undefined ? '' : 'not '}defined`)
    .replace(FIELD, (_, _quote, quoted: string | undefined, dotted: string | undefined) => quoted ?? dotted!);
  const template = keepNewlines(fields);
  const at = lastPrint(template);
  const notes = [
    ...(template.includes('data_point') ? ['data_point is used as a whole, which is not there here; write the fields by their names'] : []),
    ...(/^[ \t]+\{%/m.test(template) ? ['blanks before a block tag are dropped here'] : []),
  ];
  return { prompt: at > 0 ? template.slice(0, at) : NOTHING, completion: at > 0 ? template.slice(at) : template, notes };
};

const fromFormat = (text: string): string => text.replace(/\{\{|\}\}|\{(\w+)\}/g, (whole, name: string | undefined) => (name === undefined ? `{{ "${whole[0]!}" }}` : `{{ ${name} }}`));

/** The text with all fields of a row, and the one for rows without the field that only the first prints. */
const fromFormats = (full: string, short: string | undefined): TwoPartTemplate => {
  const fieldsOf = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);
  const optional = short === undefined ? undefined : fieldsOf(full).find((name) => !fieldsOf(short).includes(name));
  const [prompt, completion] = cutLastField(full);
  if (short === undefined || optional === undefined) return { prompt: fromFormat(prompt) || NOTHING, completion: fromFormat(completion), notes: [] };
  const [shortPrompt, shortCompletion] = cutLastField(short);
  const choose = (a: string, b: string): string => (a === b ? fromFormat(a) : `{% if ${optional} is defined %}${fromFormat(a)}{% else %}${fromFormat(b)}{% endif %}`);
  return { prompt: choose(prompt, shortPrompt) || NOTHING, completion: choose(completion, shortCompletion), notes: [] };
};

const cutLastField = (text: string): readonly [string, string] => {
  const at = text.lastIndexOf('{');
  return at < 0 ? ['', text] : [text.slice(0, at), text.slice(at)];
};

/** The template of a parsed prompt file; null where it is none. */
export const convertTemplate = (file: unknown): TwoPartTemplate | null => {
  if (!isRecord(file)) return null;
  if (typeof file.template === 'string') return fromJinja(file.template);
  if (typeof file.prompt !== 'string') return null;
  return fromFormats(file.prompt, typeof file.prompt_no_input === 'string' ? file.prompt_no_input : undefined);
};
