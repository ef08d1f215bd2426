import type { Description } from '../timeline/describe-span.ts';

/** What a tooltip belongs to, in pixels of the window: it keeps clear of everything between top and bottom. */
export interface Anchor {
  readonly x: number;
  readonly top: number;
  readonly bottom: number;
}

/** A box of details beside its anchor; screen readers hear its text. */
export interface Tooltip {
  readonly show: (description: Description, anchor: Anchor) => void;
  readonly hide: () => void;
}

const OFFSET = 14;

const place = (element: HTMLElement, { x, top, bottom }: Anchor): void => {
  const { width, height } = element.getBoundingClientRect();
  const toTheLeft = x + OFFSET + width > document.documentElement.clientWidth;
  const above = bottom + OFFSET + height > window.innerHeight;
  element.style.left = `${Math.max(4, toTheLeft ? x - OFFSET - width : x + OFFSET)}px`;
  element.style.top = `${Math.max(4, above ? top - OFFSET - height : bottom + OFFSET)}px`;
};

/** An element whose content is text, never markup. */
const textElement = (tag: string, text: string): HTMLElement => {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
};

const fill = (element: HTMLElement, { title, facts }: Description): void => {
  const list = document.createElement('dl');
  list.append(...facts.flatMap(([label, value]) => [textElement('dt', label), textElement('dd', value)]));
  element.replaceChildren(textElement('strong', title), list);
};

export const createTooltip = (element: HTMLElement): Tooltip => ({
  show: (description, anchor) => {
    fill(element, description);
    element.style.visibility = 'visible';
    place(element, anchor);
  },
  hide: () => {
    element.style.visibility = 'hidden';
    element.replaceChildren();
  },
});
