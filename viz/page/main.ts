import { fromEmbeddedJson } from '../embed.ts';
import type { LabelledTrace } from '../report.ts';
import { openTimeline } from './open-timeline.ts';

/** The traces that reportHtml put into this page. */
const readTraces = (): readonly LabelledTrace[] =>
  fromEmbeddedJson(document.getElementById('traces')?.textContent ?? '[]') as readonly LabelledTrace[];

const section = document.querySelector<HTMLElement>('section[aria-labelledby=timeline]');
if (section !== null) openTimeline(section).show(readTraces());
