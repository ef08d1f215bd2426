import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFakeRun, type FakeRun } from '../serve/fake-run.ts';
import { JOB, startTestServer, type TestServer } from '../serve/test-server.ts';
import { pipelineTrace } from '../viz/traces.ts';
import { CHROMIUM, keepScreenshot, launchChromium, openPage, type Watched } from './chromium.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';

describe.skipIf(CHROMIUM === null)('the dashboard in Chromium', () => {
  let browser: Browser;
  let folder: string;
  let server: TestServer;
  let run: FakeRun;

  beforeAll(async () => {
    browser = await launchChromium();
    folder = await mkdtemp(join(tmpdir(), 'mlora-serve-'));
    run = createFakeRun();
    run.trace = pipelineTrace();
    server = await startTestServer({ folder, run, change: { dashboard: resolve('dist/dashboard') } });
  });
  afterAll(async () => {
    await browser.close();
    await server.server.close();
    await rm(folder, { recursive: true });
  });

  const open = (fragment = `#token=${server.server.token}`): Promise<Watched> => openPage(browser, `${server.server.url}/${fragment}`);
  const row = (page: Page, id: string) => page.locator('tr', { has: page.getByRole('rowheader', { name: id, exact: true }) });

  test('follows jobs, their losses and the devices, from the server alone, with names that are text', async () => {
    const { id } = await server.submit({ ...JOB, user: HOSTILE });
    run.tell({ kind: 'admitted', job: id });
    run.iterate(id, 3);
    const { page, faults } = await open();
    await expect.poll(() => row(page, id).innerText()).toMatch(/running\s+3 of 10\s+0\.333/);
    expect(await row(page, id).innerText()).toContain(HOSTILE);
    expect(new URL(page.url()).hash).toBe('');
    await page.locator('.losses svg').waitFor();
    expect(await page.locator('.losses svg').getAttribute('aria-label')).toContain('training loss ends at 0.333');
    await page.waitForSelector('canvas[data-view=timeline]');
    run.iterate(id, 4);
    await expect.poll(() => row(page, id).innerText()).toMatch(/4 of 10/);
    await keepScreenshot(page, 'dashboard');
    await run.finish(id, 'failed');
    await expect.poll(() => page.getByRole('table', { name: 'Jobs that have ended' }).innerText()).toContain('it diverged');
    expect(await page.getByRole('table', { name: 'Jobs that wait or run' }).isHidden()).toBe(true);
    expect(faults).toEqual([]);
  });

  test('changes priorities and cancels with keys alone, and no refresh takes what is typed', async () => {
    const { id } = await server.submit();
    const { page, faults } = await open();
    const input = page.getByLabel(`Priority of ${id}`);
    await input.focus();
    await page.keyboard.press('Control+A');
    await page.keyboard.type('4');
    run.iterate(id, 2);
    await expect.poll(() => row(page, id).innerText()).toContain('2 of 10');
    expect(await input.inputValue()).toBe('4');
    await page.keyboard.type('2');
    await page.keyboard.press('Enter');
    await expect.poll(() => run.priorities).toEqual([[id, 42]]);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(`Cancel ${id}`);
    await page.keyboard.press('Enter');
    await expect.poll(() => run.cancelled).toEqual([id]);
    await expect.poll(() => page.getByRole('status').first().innerText()).toContain('ends at its next iteration end');
    await run.finish(id, 'cancelled');
    expect(faults).toEqual([]);
  });

  test('hands out the adapter of a completed job', async () => {
    const { id } = await server.submit();
    await run.finish(id);
    const { page } = await open();
    const downloads: string[] = [];
    page.on('download', (download) => downloads.push(download.suggestedFilename()));
    await page.getByLabel(`Download the adapter of ${id}`).click();
    await expect.poll(() => [...downloads].sort()).toEqual([`${id}.adapter_config.json`, `${id}.adapter_model.safetensors`]);
  });

  test('asks for the token, and asks again where it is wrong', async () => {
    const { page } = await open('#token=wrong');
    await expect.poll(() => page.getByRole('alert').innerText()).toContain('token');
    await page.keyboard.type(server.server.token);
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('#server').innerText()).toContain('test: tiny on 2 devices, ready');
  });
});
