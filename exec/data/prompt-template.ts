import { Template } from '@huggingface/jinja';
import * as E from 'fp-ts/lib/Either.js';
import { messageOf } from '../../core/error-message.ts';

/** The fields of one data row. */
export type RowFields = Readonly<Record<string, unknown>>;

/** A compiled Jinja template over a row. */
export interface PromptTemplate {
  /** Fields the template prints whatever the row holds; a row without one of them is wrong. */
  readonly fields: readonly string[];
  /** Throws where the template itself fails on the row, e.g. an unknown filter. */
  readonly render: (row: RowFields) => string;
}

/** The part of the library's syntax nodes from which field names are read; its own declarations do not resolve here. */
interface SyntaxNode {
  readonly type: string;
  readonly value?: unknown;
  readonly operand?: SyntaxNode;
  readonly filter?: SyntaxNode;
  readonly object?: SyntaxNode;
  readonly callee?: SyntaxNode;
  readonly left?: SyntaxNode;
  readonly right?: SyntaxNode;
  readonly assignee?: SyntaxNode;
}

const fieldsOf = (node: SyntaxNode | undefined): readonly string[] => {
  switch (node?.type) {
    case 'Identifier':
      return typeof node.value === 'string' ? [node.value] : [];
    case 'MemberExpression':
      return fieldsOf(node.object);
    case 'CallExpression':
      return node.callee?.type === 'MemberExpression' ? fieldsOf(node.callee) : [];
    case 'FilterExpression':
      return fieldsOf(node.filter?.callee ?? node.filter).includes('default') ? [] : fieldsOf(node.operand);
    case 'BinaryExpression':
      return [...fieldsOf(node.left), ...fieldsOf(node.right)];
    default:
      return [];
  }
};

/** Top level only: what stands inside a condition or a loop may be absent, that is what it is there for. */
const printedFields = (body: readonly SyntaxNode[]): readonly string[] => {
  const assigned = body.filter((node) => node.type === 'Set').flatMap((node) => fieldsOf(node.assignee));
  return [...new Set(body.flatMap(fieldsOf))].filter((name) => !assigned.includes(name));
};

/** The template language drops one newline at the end of a template; here a template means exactly what it says. */
const keepLastNewline = (text: string): string => (text.endsWith('\n') ? `${text}\n` : text);

/** Left: why the text is not a template. */
export const compileTemplate = (text: string): E.Either<string, PromptTemplate> =>
  E.tryCatch(
    () => {
      const template = new Template(keepLastNewline(text));
      const { body } = template.parsed as { readonly body: readonly SyntaxNode[] };
      return { fields: printedFields(body), render: (row) => template.render({ ...row }) };
    },
    messageOf,
  );
