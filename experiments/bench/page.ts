import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { chromium, type Page } from 'playwright-core';
import { median } from '../../sim/measured-ops.ts';

const DIST = fileURLToPath(new URL('../../', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

const job = (index: number, iterations: number): string => `16,8,${iterations},512,0,0,job-${index}`;

/** Four devices, eight adapters; everything else as in the page's first example. */
const setupHash = (iterations: number, second: string): string =>
  `#${new URLSearchParams([['first', 'lorapp'], ['second', second], ...Array.from({ length: 8 }, (_, index) => ['job', job(index, iterations)])]).toString()}`;

const EDITED = { iterations: 20, edits: 15 };
/** Long enough for a million spans. */
const LONG_ITERATIONS = 2000;
const FRAMES = 60;

const waitForPicture = (page: Page, measures: number): Promise<unknown> =>
  page.waitForFunction((count) => performance.getEntriesByName('answer-to-picture').length >= count, measures, { timeout: 120_000 });

const measured = (page: Page, name: string): Promise<number[]> =>
  page.evaluate((entry) => performance.getEntriesByName(entry, 'measure').map(({ duration }) => duration), name);

/** The page has answered all that the last edit asked: the picture, and why devices wait. */
const waitForRest = (page: Page): Promise<unknown> => page.waitForSelector('.causes[aria-busy=false]', { timeout: 120_000 });

/** Milliseconds from an edit of the rank of a job to the frame that shows its plan; each edit comes when the last one is answered. */
const editTimes = async (page: Page): Promise<number[]> => {
  for (let edit = 1; edit <= EDITED.edits; edit++) {
    await page.fill('[data-job="0"][data-key="rank"]', String(16 + edit));
    await waitForPicture(page, 1 + edit);
    await waitForRest(page);
  }
  return measured(page, 'edit-to-picture');
};

/** Milliseconds between frames while the wheel zooms in and out, and while the run moves past. */
const frameTimes = (page: Page, zooms: boolean): Promise<number[]> =>
  page.evaluate(
    async ([frames, zoom]) => {
      const chart = document.querySelector<HTMLElement>('.chart')!;
      const nextFrame = (): Promise<number> => new Promise((resolve) => requestAnimationFrame(resolve));
      const { left, top, width } = chart.getBoundingClientRect();
      const times: number[] = [];
      let last = await nextFrame();
      for (let frame = 0; frame < frames; frame++) {
        const deltaY = zoom ? (frame < frames / 2 ? -120 : 120) : 60;
        const at = { clientX: left + width / 2, clientY: top + 60, bubbles: true, cancelable: true };
        chart.dispatchEvent(new WheelEvent('wheel', { deltaY, shiftKey: !zoom, ...at }));
        const now = await nextFrame();
        times.push(now - last);
        last = now;
      }
      return times;
    },
    [FRAMES, zooms] as const,
  );

const gzippedBytes = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + gzipSync(readFileSync(join(entry.parentPath, entry.name))).length, 0);

const startView = async (): Promise<{ readonly url: string; readonly stop: () => void }> => {
  const child = spawn(process.execPath, [join(DIST, 'cli', 'main.js'), 'view'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const url = await new Promise<string>((resolve) => child.stdout.once('data', (text: Buffer) => resolve(text.toString().trim())));
  return { url, stop: () => child.kill('SIGINT') };
};

const benchEdit = async (page: Page, url: string, second: string): Promise<void> => {
  await page.goto('about:blank');
  await page.goto(`${url}${setupHash(EDITED.iterations, second)}`);
  await waitForPicture(page, 1);
  await waitForRest(page);
  const times = await editTimes(page);
  const drawing = median(await measured(page, 'answer-to-picture'));
  console.log(`  edit to picture${second === 'none' ? '' : `, ${second} beside it`}: median ${median(times).toFixed(0)} ms, of which drawing ${drawing.toFixed(0)} ms (wanted: 100)`);
};

const benchLong = async (page: Page, url: string): Promise<void> => {
  await page.goto('about:blank');
  await page.goto(`${url}${setupHash(LONG_ITERATIONS, 'none')}`);
  await waitForPicture(page, 1);
  const label = (await page.locator('canvas[data-view=timeline]').first().getAttribute('aria-label')) ?? '';
  const [first] = await measured(page, 'answer-to-picture');
  console.log(`  ${label}: first picture in ${((first ?? NaN) / 1000).toFixed(2)} s (wanted: 2)`);
  await page.locator('.chart').scrollIntoViewIfNeeded();
  for (const zooms of [true, false]) {
    const times = await frameTimes(page, zooms);
    console.log(`  ${zooms ? 'zoom' : 'pan'}: median ${(1000 / median(times)).toFixed(0)} frames a second, slowest frame ${Math.max(...times).toFixed(0)} ms (wanted: 30 frames)`);
  }
};

/** Measures the playground in Chromium: editing, a million spans, and what has to be loaded. */
export const benchPage = async (): Promise<void> => {
  console.log(`page: ${(gzippedBytes(join(DIST, 'page')) / 1000).toFixed(0)} kB gzipped (wanted: 400)`);
  if (!existsSync(CHROMIUM)) {
    console.log(`  there is no Chromium at ${CHROMIUM}; CHROMIUM names another place`);
    return;
  }
  const view = await startView();
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await benchEdit(page, view.url, 'none');
  await benchEdit(page, view.url, '1f1b');
  await benchLong(page, view.url);
  await browser.close();
  view.stop();
};
