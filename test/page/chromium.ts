import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

/** Where Debian and others put a Chromium; `CHROMIUM` names another place. */
const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser's path; null where there is none. */
export const CHROMIUM = PLACES.find((path) => path !== undefined && existsSync(path)) ?? null;

if (CHROMIUM === null && process.env.CI_CHROMIUM === 'required') throw new Error('there is no Chromium, and CI requires one');

const CLI = resolve('dist/cli/main.js');
const SCREENSHOTS = resolve('runs/screenshots');

/** Without a sandbox, because CI containers run as root; nothing but our own page is opened. */
export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox', '--disable-gpu', '--disable-quic'] });

/** `mlora view` as a process; `url` is what it printed. */
export interface Viewer {
  readonly url: string;
  readonly stop: () => void;
}

export const startViewer = async (paths: readonly string[] = []): Promise<Viewer> => {
  const child: ChildProcess = spawn(process.execPath, [CLI, 'view', ...paths], { stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise<string>((found, failed) => {
    child.stdout!.once('data', (text: Buffer) => found(text.toString().trim()));
    child.once('exit', (code) => failed(new Error(`mlora view ended with ${String(code)}`)));
  });
  return { url, stop: () => child.kill('SIGINT') };
};

/** A page, and everything about it that must not happen. */
export interface Watched {
  readonly page: Page;
  /** Errors on the console, uncaught errors, and requests that failed or went to another host. */
  readonly faults: string[];
}

export const openPage = async (browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Watched> => {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  const origin = new URL(url).origin;
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('requestfailed', (request) => faults.push(`failed: ${request.url()}`));
  page.on('request', (request) => {
    const own = new URL(request.url()).origin === origin || /^(blob|data):/.test(request.url());
    if (!own && !request.url().startsWith('file:')) faults.push(`foreign: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) faults.push(`${response.status()}: ${response.url()}`);
  });
  await page.goto(url);
  return { page, faults };
};

/** Keeps a picture for whoever looks at the run. */
export const keepScreenshot = async (page: Page, name: string, fullPage = true): Promise<void> => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage });
};

/** The points of a timeline as text: whether a picture has changed. */
export const picture = (page: Page, trace = 0): Promise<string> =>
  page.evaluate(
    (t) => document.querySelector<HTMLCanvasElement>(`canvas[data-view=timeline][data-trace="${t}"]`)!.toDataURL(),
    trace,
  );

/** Where the first timeline is in the window, scrolled into it. */
export const timelineBox = async (page: Page): Promise<{ readonly x: number; readonly y: number; readonly width: number }> => {
  const canvas = page.locator('canvas[data-view=timeline]').first();
  await canvas.scrollIntoViewIfNeeded();
  return (await canvas.boundingBox())!;
};

/** Waits until nothing is planned any more and the timeline, those out of sight too, has been drawn. */
export const settle = async (page: Page): Promise<void> => {
  await page.waitForTimeout(60);
  await page.waitForSelector('canvas[data-view=timeline]', { state: 'attached' });
  await page.waitForFunction(() => document.querySelector('[aria-busy=true]') === null);
  await page.waitForTimeout(220);
};
