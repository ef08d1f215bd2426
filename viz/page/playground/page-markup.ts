import { timelineSection } from '../../timeline-markup.ts';

/** What the picture shows, for someone who has never seen one. */
const STORY = `<div class="story-text"><p>A large language model is cut into <em>stages</em>, one per GPU; every row below is a GPU, time runs to the right.
A <em>microbatch</em>, a piece of an adapter's training batch, passes all stages forward (pale) and back (dark). Before an
adapter's next iteration can begin, its own weights must have been updated: the <em>step</em> at the end of the last backward.</p>
<p><strong>1F1B</strong> trains one adapter at a time. Its GPUs wait for each other at the start and at the end of every iteration: the
empty parts of a row, the <em>bubbles</em>. <strong>LoRAPP</strong> has several adapters on the same frozen model. Only iterations of the
<em>same</em> adapter depend on each other, so while one adapter waits for its step, microbatches of the others fill the gap: nothing but the
first filling and the last draining of the pipeline stays empty. Take adapters away and watch the bubbles come back.</p></div>`;

const DOWNLOADS = [
  ['experiment', 'experiment (YAML)'],
  ['plan', 'plan (JSON)'],
  ['trace', 'trace (Perfetto)'],
].map(([file, label]) => `<button type="button" data-file="${file}">${label}</button>`);

/** Everything of the page between header and footer. */
export const PAGE_MARKUP = `
<section aria-labelledby="story-heading"><h2 id="story-heading">What is this?</h2>${STORY}</section>
<div class="workbench">
<section aria-labelledby="setup-heading"><h2 id="setup-heading">Experiment</h2>
<form class="setup" aria-label="Experiment" novalidate></form></section>
<div>
<section aria-labelledby="result-heading"><h2 id="result-heading">Result</h2>
<p class="status quiet" role="status"></p>
<p class="comparison"></p>
<div class="bars"></div>
<div class="metrics" tabindex="0" role="group" aria-label="Figures"></div>
<div class="toolbar downloads" role="group" aria-label="Downloads and files">Download
<select aria-label="Schedule to download" data-variant></select> ${DOWNLOADS.join('\n')}
<label class="open">or open a trace <input type="file" accept=".json,.gz,application/json,application/gzip" data-open></label></div></section>
${timelineSection([])}
<section aria-labelledby="causes-heading"><h2 id="causes-heading">Why devices wait</h2><div class="causes"></div></section>
</div></div>`;
