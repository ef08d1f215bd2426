import * as E from 'fp-ts/lib/Either.js';
import { show } from '../../core/problem.ts';
import { isRecord } from '../../core/structure.ts';
import type { ChatMessage, ChatTemplate } from './chat-template.ts';
import type { PromptTemplate, RowFields } from './prompt-template.ts';

/** Characters `[from, to)` of a text. */
export type TextRange = readonly [from: number, to: number];

/** A row as text, and which of it the model is to learn. */
export interface RenderedRow {
  readonly text: string;
  readonly completions: readonly TextRange[];
  /** The row is a whole text of its own: the tokens that begin and end a text belong around it. */
  readonly framed: boolean;
}

/** How the fields of a row become text; Left: everything wrong with the row. */
export type RenderRow = (fields: RowFields) => E.Either<readonly string[], RenderedRow>;

const missingFields = (row: RowFields, role: string, template: PromptTemplate): readonly string[] =>
  template.fields
    .filter((field) => !Object.hasOwn(row, field) || row[field] === null)
    .map((field) => `field ${show(field)} is missing, which the ${role} template prints; the row has ${show(Object.keys(row))}`);

const attempt = (render: () => E.Either<readonly string[], RenderedRow>): E.Either<readonly string[], RenderedRow> => {
  try {
    return render();
  } catch (error) {
    return E.left([`the template fails on this row: ${String(error)}`]);
  }
};

/** Rows as a prompt and its completion. */
export const renderWithTemplates =
  (prompt: PromptTemplate, completion: PromptTemplate): RenderRow =>
  (row) => {
    const missing = [...missingFields(row, 'prompt', prompt), ...missingFields(row, 'completion', completion)];
    if (missing.length > 0) return E.left(missing);
    return attempt(() => {
      const start = prompt.render(row);
      const text = start + completion.render(row);
      return E.right({ text, completions: [[start.length, text.length]], framed: true });
    });
  };

const isMessage = (value: unknown): value is ChatMessage =>
  isRecord(value) && typeof value.role === 'string' && typeof value.content === 'string';

const messageProblems = ({ messages }: RowFields): readonly string[] => {
  if (!Array.isArray(messages)) return [`field "messages" is ${show(messages)}; expected a list of messages`];
  const wrong = messages.findIndex((message) => !isMessage(message));
  if (wrong >= 0) return [`messages[${wrong}] is ${show(messages[wrong])}; expected texts role and content`];
  return messages.some((message: ChatMessage) => message.role === 'assistant') ? [] : ['no message is the assistant’s'];
};

/**
 * Rows as conversations in the model's own chat template. An assistant's turn is what the template adds after opening
 * it, its end mark included; templates that rewrite earlier turns later on have no such place, and are refused.
 */
export const renderWithChat =
  (chat: ChatTemplate): RenderRow =>
  (row) => {
    const problems = messageProblems(row);
    if (problems.length > 0) return E.left(problems);
    return attempt(() => renderChat(chat, row.messages as readonly ChatMessage[]));
  };

const renderChat = (chat: ChatTemplate, messages: readonly ChatMessage[]): E.Either<readonly string[], RenderedRow> => {
  const text = chat.render(messages, false);
  const completions: TextRange[] = [];
  for (const [turn, { role }] of messages.entries()) {
    if (role !== 'assistant') continue;
    const opened = chat.render(messages.slice(0, turn), true);
    const closed = chat.render(messages.slice(0, turn + 1), false);
    if (!closed.startsWith(opened) || !text.startsWith(closed)) {
      return E.left([`the model's chat template does not write messages[${turn}] after the turns before it, so its text cannot be told apart`]);
    }
    completions.push([opened.length, closed.length]);
  }
  return E.right({ text, completions, framed: false });
};
