import { readFileSync, writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as E from 'fp-ts/lib/Either.js';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readChromeTrace } from '../../core/trace/read-chrome-trace.ts';
import { runCli } from '../cli/run-cli.ts';
import { CHROMIUM, keepScreenshot, launchChromium, openPage, picture, settle, startViewer, timelineBox, type Viewer, type Watched } from './chromium.ts';

const field = (name: string): string => `[name="${name}"]`;
const jobField = (job: number, key: string): string => `[data-job="${job}"][data-key="${key}"]`;

/** Fills a control and waits for the answer. */
const edit = async (page: Page, selector: string, value: string): Promise<void> => {
  const control = page.locator(selector);
  const isList = await control.evaluate((element) => element.tagName === 'SELECT');
  await (isList ? control.selectOption(value) : control.fill(value));
  await settle(page);
};

const metrics = (page: Page): Promise<string> => page.locator('.metrics').innerText();

const tooltip = (page: Page): Promise<string> => page.locator('.tooltip').innerText();

/** A packed profile of so many kernels on four streams, the first one with a hostile name. */
const profilerFile = (name: string, kernels: number): string => {
  const file = join(mkdtempSync(join(tmpdir(), 'mlora-page-')), name);
  const event = (index: number): object => ({
    ...{ ph: 'X', cat: 'kernel', name: index === 0 ? '<img src=x onerror=alert(1)>' : `gemm_${index % 20}` },
    ...{ pid: 0, tid: index % 4, ts: 5 * index, dur: 4, args: { device: 0, stream: index % 4 } },
  });
  writeFileSync(file, gzipSync(JSON.stringify({ schemaVersion: 1, traceEvents: Array.from({ length: kernels }, (_, index) => event(index)) })));
  return file;
};

describe.skipIf(CHROMIUM === null)('the playground in Chromium', () => {
  let browser: Browser;
  let viewer: Viewer;
  const open = async (hash = '', options = {}): Promise<Watched> => {
    const watched = await openPage(browser, `${viewer.url}${hash}`, options);
    await settle(watched.page);
    return watched;
  };

  beforeAll(async () => {
    viewer = await startViewer();
    browser = await launchChromium();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    viewer.stop();
  });

  test('plans two schedules and draws them, without an error and without asking anyone else', async () => {
    const { page, faults } = await open();
    expect(await metrics(page)).toMatch(/1f1b[^]*lorapp/);
    expect(await page.locator('canvas[data-view=timeline]').count()).toBe(2);
    expect(await page.locator('.chart').innerText()).toMatch(/lorapp against 1f1b, op by op[^]*drift apart by more than/);
    expect(await page.locator('[data-preset] option:checked').innerText()).toBe('Four adapters on four GPUs');
    expect(await page.locator('.bars').innerText()).toMatch(/1f1b: idle 44\.\d%; .*because an adapter waits until its own step is done/);
    expect(await page.locator('.comparison').innerText()).toMatch(/lorapp trains 1\.\d+ times as many tokens/);
    await keepScreenshot(page, 'playground-light');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('draws in the dark and on a narrow screen without scrolling sideways', async () => {
    const { page, faults } = await open('', { colorScheme: 'dark', viewport: { width: 390, height: 800 } });
    await keepScreenshot(page, 'playground-dark-narrow');
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('shows the new plan when a value is edited, and the address shows the same to someone else', async () => {
    const { page } = await open();
    const [before, drawn] = [await metrics(page), await picture(page, 1)];
    await edit(page, jobField(0, 'iterations'), '5');
    await edit(page, field('cluster'), '8xA6000-pcie');
    expect(await metrics(page)).not.toBe(before);
    expect(await picture(page, 1)).not.toBe(drawn);
    const shared = await open(new URL(page.url()).hash);
    expect(await metrics(shared.page)).toBe(await metrics(page));
    expect(await shared.page.inputValue(jobField(0, 'iterations'))).toBe('5');
    await Promise.all([page, shared.page].map((each) => each.context().close()));
  });

  test('says beside the control what is impossible, and keeps the last good picture', async () => {
    const { page, faults } = await open();
    const good = [await metrics(page), await picture(page)];
    for (const [selector, bad, message] of [
      [field('microbatches'), '-3', /whole number of at least 1/],
      [jobField(1, 'rank'), 'many', /adapter\.rank is "many"/],
      [jobField(2, 'iterations'), '1e9', /ops together/],
      [jobField(0, 'name'), '<img src=x onerror=alert(1)>', /name is/],
    ] as const) {
      const old = await page.inputValue(selector);
      await edit(page, selector, bad);
      expect(await page.locator('.problem').allInnerTexts()).toContainEqual(expect.stringMatching(message));
      expect([await metrics(page), await picture(page)]).toEqual(good);
      await edit(page, selector, old);
      expect((await page.locator('.problem').allInnerTexts()).join('')).toBe('');
    }
    await edit(page, field('model'), 'Llama-2-70B');
    expect(await page.locator('.problem').allInnerTexts()).toContainEqual(expect.stringMatching(/does not fit: device\d/));
    expect([await metrics(page), await picture(page)]).toEqual(good);
    await keepScreenshot(page, 'playground-does-not-fit', false);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('treats whatever an address says as text', async () => {
    const hostile = '<img src=x onerror="document.title=1">';
    const hash = new URLSearchParams([['model', hostile], ['first', hostile], ['cluster', hostile], ['job', `1,1,1,1,0,0,${hostile}`]]);
    const { page, faults } = await openPage(browser, `${viewer.url}#${hash.toString()}`);
    await page.waitForFunction(() => [...document.querySelectorAll('.problem')].some((place) => place.textContent !== ''));
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.title()).toContain('mlora');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('zooms and moves by wheel, by drag and in the small picture of the whole run', async () => {
    const { page } = await open();
    const whole = await picture(page);
    const box = await timelineBox(page);
    await page.mouse.move(box.x + box.width / 2, box.y + 20);
    await page.mouse.wheel(0, -600);
    await settle(page);
    const near = await picture(page);
    expect(near).not.toBe(whole);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2 - 200, box.y + 20, { steps: 4 });
    await page.mouse.up();
    await settle(page);
    const moved = await picture(page);
    expect(moved).not.toBe(near);
    const map = (await page.locator('canvas.minimap').boundingBox())!;
    await page.mouse.click(map.x + map.width - 30, map.y + map.height / 2);
    await settle(page);
    expect(await picture(page)).not.toBe(moved);
    await page.getByRole('button', { name: 'Whole run' }).click();
    await page.mouse.move(0, 0);
    await settle(page);
    expect(await picture(page)).toBe(whole);
    await page.context().close();
  });

  test('tells the exact numbers of the op under the pointer and follows its microbatch', async () => {
    const { page } = await open();
    const plain = await picture(page);
    const box = await timelineBox(page);
    await page.mouse.move(box.x + 140, box.y + 16);
    await settle(page);
    expect(await tooltip(page)).toMatch(/F\d+ · forward[^]*start[^]*ms[^]*duration/);
    expect(await picture(page)).not.toBe(plain);
    await page.context().close();
  });

  test('shades bubbles by cause, draws what an op depends on, and fades what is not critical', async () => {
    const { page, faults } = await open();
    const plain = await picture(page);
    expect(await page.getByRole('list', { name: 'Causes of bubbles' }).innerText()).toContain('waiting for its own step');
    await page.getByLabel('bubbles by cause').uncheck();
    await settle(page);
    expect(await picture(page)).not.toBe(plain);
    await page.getByLabel('bubbles by cause').check();
    await settle(page);
    const shaded = await picture(page);
    expect(shaded).toBe(plain);
    await page.getByLabel('critical path').check();
    await settle(page);
    expect(await picture(page)).not.toBe(shaded);
    expect(await page.locator('.causes').innerText()).toMatch(/waiting for its own step[^]*%[^]*0\.0%/);
    await page.locator('.chart').focus();
    await page.keyboard.press('n');
    await settle(page);
    await page.locator('.statistics summary').click();
    await settle(page);
    await page.waitForFunction(() => document.querySelector('.statistics td') !== null);
    expect(await page.locator('.statistics').innerText()).toMatch(/Selected ops from 0 ms[^]*lorapp: load adapter/);
    await keepScreenshot(page, 'playground-explained');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('can be used by keyboard alone', async () => {
    const { page, faults } = await open();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.className)).toBe('skip');
    const reach = async (selector: string): Promise<void> => {
      for (let n = 0; n < 80; n++) {
        if (await page.evaluate((s) => document.activeElement?.matches(s) === true, selector)) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`Tab does not reach ${selector}`);
    };
    await reach(jobField(3, 'rank'));
    const before = await metrics(page);
    await page.keyboard.press('Control+A');
    await page.keyboard.type('64');
    await settle(page);
    expect(await metrics(page)).not.toBe(before);
    await reach('.chart');
    await page.keyboard.press('n');
    const first = await tooltip(page);
    await page.keyboard.press('n');
    expect(await tooltip(page)).not.toBe(first);
    const near = await picture(page);
    await page.keyboard.press('+');
    await settle(page);
    expect(await picture(page)).not.toBe(near);
    await page.keyboard.press('Escape');
    expect(await tooltip(page)).toBe('');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('has a landmark or a name for every part', async () => {
    const { page } = await open();
    for (const name of ['What is this?', 'Experiment', 'Result', 'Timeline', 'Why devices wait']) {
      expect(await page.getByRole('region', { name, exact: true }).count()).toBe(1);
    }
    expect(await page.getByRole('main').count()).toBe(1);
    expect(await page.getByRole('form', { name: 'Experiment' }).count()).toBe(1);
    const nameless = await page.evaluate(() =>
      [...document.querySelectorAll<HTMLInputElement>('input,select')].filter(
        (control) => (control.labels?.length ?? 0) === 0 && control.getAttribute('aria-label') === null,
      ).length,
    );
    expect(nameless).toBe(0);
    await page.context().close();
  });

  test('hands out files with which the command line gets the same result', async () => {
    const { page } = await open();
    const folder = mkdtempSync(join(tmpdir(), 'mlora-page-'));
    await page.locator('select[data-variant]').selectOption('lorapp');
    const save = async (button: string): Promise<string> => {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
      const path = join(folder, download.suggestedFilename());
      await download.saveAs(path);
      return path;
    };
    const [experiment, plan, trace] = [await save('experiment (YAML)'), await save('plan (JSON)'), await save('trace (Perfetto)')];
    const simulated = await runCli(['simulate', experiment, '--json', '--out', join(folder, 'out')]);
    expect(simulated.code).toBe(0);
    expect(readFileSync(join(folder, 'out', 'trace.json'), 'utf8')).toBe(readFileSync(trace, 'utf8'));
    const replayed = await runCli(['simulate', plan, '--json']);
    const seconds = (text: string): number => (JSON.parse(text) as { makespanSeconds: number }).makespanSeconds;
    expect(seconds(replayed.stdout)).toBe(seconds(simulated.stdout));
    expect(E.isRight(readChromeTrace(readFileSync(trace, 'utf8')))).toBe(true);
    const svg = readFileSync(await save('Save lorapp SVG'), 'utf8');
    expect(svg).toMatch(/^<svg[^]*<\/svg>$/);
    expect([...readFileSync(await save('Save lorapp PNG')).subarray(1, 4)].map((code) => String.fromCharCode(code)).join('')).toBe('PNG');
    await page.context().close();
  });

  test('opens a trace from disk, and says what is wrong with a file that is none', async () => {
    const { page, faults } = await open();
    const good = await picture(page);
    const folder = mkdtempSync(join(tmpdir(), 'mlora-page-'));
    const broken = join(folder, 'half.json');
    writeFileSync(broken, '{"traceEvents":[{"ph":"X"');
    await page.locator('input[data-open]').setInputFiles(broken);
    await page.waitForFunction(() => document.querySelector('.status')?.textContent.includes('half.json'));
    expect(await page.locator('.status').innerText()).toMatch(/half\.json: is no JSON/);
    expect(await picture(page)).toBe(good);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('opens a packed trace of PyTorch\'s profiler as spans per stream, whatever its kernels are called', async () => {
    const { page, faults } = await open();
    await page.locator('input[data-open]').setInputFiles(profilerFile('profile.json.gz', 400_000));
    await page.waitForFunction(() => document.querySelector('.status')?.textContent.startsWith('Showing profile'), undefined, { timeout: 30_000 });
    await settle(page);
    expect(await page.locator('canvas[data-view=timeline]').first().getAttribute('aria-label')).toContain('400000 ops on 4 devices');
    expect(await page.locator('.causes').innerText()).toContain('not what they waited for');
    expect(await page.locator('img').count()).toBe(0);
    await page.locator('.chart').focus();
    await page.keyboard.press('n');
    expect(await tooltip(page)).toContain('<img src=x onerror=alert(1)>');
    await keepScreenshot(page, 'playground-profiler');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test('says what is wrong with a trace that is neither ours nor of streams, and keeps the picture', async () => {
    const { page, faults } = await open();
    const good = await picture(page);
    for (const [name, text, message] of [
      ['other.json', '{"traceEvents":[{"ph":"X","name":"click","ts":1,"dur":1}]}', /otherData\.format/],
      ['host.json', '{"schemaVersion":1,"traceEvents":[{"ph":"X","cat":"cpu_op","name":"mm","ts":1,"dur":1}]}', /no spans on GPU streams/],
      ['list.json', '[1,2,3]', /otherData\.format/],
      ['half.json.gz', gzipSync('[1,2,3]').subarray(0, 12), /half\.json\.gz: cannot be read/],
    ] as const) {
      const file = join(mkdtempSync(join(tmpdir(), 'mlora-page-')), name);
      writeFileSync(file, text);
      await page.locator('input[data-open]').setInputFiles(file);
      await page.waitForFunction((wanted) => document.querySelector('.status')?.textContent.includes(wanted), name);
      expect(await page.locator('.status').innerText()).toMatch(message);
      expect(await picture(page)).toBe(good);
    }
    expect(faults).toEqual([]);
    await page.context().close();
  });
});

describe.skipIf(CHROMIUM === null)('mlora view', () => {
  test('opens the results of a folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mlora-view-'));
    await runCli(['simulate', 'experiments/examples/bubbles.yaml', '--out', folder]);
    const viewer = await startViewer([folder]);
    const browser = await launchChromium();
    const { page, faults } = await openPage(browser, viewer.url);
    await settle(page);
    expect(await page.locator('.status').innerText()).toBe('Showing simulated.');
    expect(await page.locator('canvas[data-view=timeline]').count()).toBe(1);
    expect(faults).toEqual([]);
    await browser.close();
    viewer.stop();
  }, 60_000);
});
