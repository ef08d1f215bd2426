import { readFileSync } from 'node:fs';
import type { Report } from '../viz/report.ts';
import { reportHtml } from '../viz/report-html.ts';

/** The page's client script, bundled by the build. */
const CLIENT = new URL('../viz/report-client.js', import.meta.url);

/** A report as one self-contained page. */
export const reportPage = (report: Report): string => reportHtml(report, readFileSync(CLIENT, 'utf8'));
