import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromEmbeddedJson, toEmbeddedJson } from '../../viz/embed.ts';
import type { Report } from '../../viz/report.ts';
import { reportHtml } from '../../viz/report-html.ts';
import { pipelineTrace } from './traces.ts';

const trace = pipelineTrace({ devices: 2, adapters: ['law', 'sql'], transferNs: 1e5 });
const REPORT: Report = {
  title: 'Two adapters',
  subtitle: 'on two devices',
  metrics: [
    { label: 'bubble ratio', simulated: '3.1 %', measured: '4.2 %' },
    { label: 'held-out loss', simulated: null, measured: '0.71' },
  ],
  traces: [
    { label: 'Simulated', subtitle: 'bubble 3.1 %', trace },
    { label: 'Measured', subtitle: 'bubble 4.2 %', trace: { ...trace, source: 'measured' } },
  ],
  losses: [{ name: 'law', training: [{ iteration: 0, loss: 2 }], heldout: [{ iteration: 0, loss: 2.1 }] }],
  settings: 'name: demo\n',
};
const EMPTY: Report = { title: 'Nothing', subtitle: '', metrics: [], traces: [], losses: [], settings: '' };

const count = (text: string, part: string): number => text.split(part).length - 1;

describe('the report page', () => {
  const page = reportHtml(REPORT, 'console.log("client")');

  it('has a landmark and a heading for each part', () => {
    for (const heading of ['Summary', 'Timeline', 'Losses'])
      expect(page).toMatch(new RegExp(`<section aria-labelledby="(\\w+)"><h2 id="\\1">${heading}</h2>`));
    expect(page).toMatch(/<header>[^]*<main id="content">[^]*<summary>Settings<\/summary>[^]*<footer>/);
  });

  it('puts the traces under each other with a canvas for timeline and memory each', () => {
    expect(page.indexOf('<h3>Simulated</h3>')).toBeLessThan(page.indexOf('<h3>Measured</h3>'));
    expect(page.match(/<canvas data-view="(timeline|memory)" data-trace="\d"/g)).toEqual([
      '<canvas data-view="timeline" data-trace="0"',
      '<canvas data-view="timeline" data-trace="1"',
      '<canvas data-view="memory" data-trace="0"',
      '<canvas data-view="memory" data-trace="1"',
    ]);
  });

  it('shows simulated and measured metrics, and no column without values', () => {
    expect(page).toContain('<th scope="row">held-out loss</th><td>–</td><td>0.71</td>');
    const simulatedOnly = reportHtml({ ...REPORT, metrics: [{ label: 'a', simulated: '1', measured: null }] }, '');
    expect(simulatedOnly).toContain('<th scope="row">a</th><td>1</td></tr>');
  });

  it('asks nobody for anything', () => {
    expect(page).not.toMatch(/https?:|src=|@import|url\(/);
    expect(page).toContain(`content="default-src 'none';`);
  });

  it('leaves out the parts without data', () => {
    const empty = reportHtml(EMPTY, 'client');
    expect(empty).not.toMatch(/<section|<script|<details/);
    expect(empty).toContain('<h1>Nothing</h1>');
  });

  it('keeps a script whose text ends a script element', () => {
    const guarded = reportHtml(REPORT, 'const s = "</script>" + "</SCRIPT>" + "$&";');
    expect(guarded).toContain('const s = "<\\/script>" + "<\\/SCRIPT>" + "$&";');
    expect(count(guarded.toLowerCase(), '</script>')).toBe(2);
  });

  it('treats every name as text', () => {
    const hostile = '</script><script>alert(1)</script><img src=x onerror=alert(2)>"\' onload="x';
    const named = pipelineTrace({ devices: 1, adapters: [hostile], deviceName: () => hostile });
    const report: Report = {
      title: hostile,
      subtitle: hostile,
      metrics: [{ label: hostile, simulated: hostile, measured: hostile }],
      traces: [{ label: hostile, subtitle: hostile, trace: named }],
      losses: [{ name: hostile, training: [{ iteration: 1, loss: 1 }], heldout: [] }],
      settings: hostile,
    };
    const markup = reportHtml(report, '');
    expect(count(markup, '<script')).toBe(2);
    expect(count(markup, '</script>')).toBe(2);
    expect(markup).not.toMatch(/<img/);
    expect(markup.match(/ (onload|onerror)="/g)).toBeNull();
  });

  it('stays under 5 MB with two traces of 10,000 spans each', () => {
    const long = pipelineTrace({ devices: 4, adapters: ['a', 'b', 'c', 'd'], iterations: 31, transferNs: 1e5 });
    expect(2 * long.spans.length).toBeGreaterThan(20_000);
    const report: Report = { ...REPORT, traces: [0, 1].map((t) => ({ label: `${t}`, subtitle: '', trace: long })) };
    expect(reportHtml(report, '').length).toBeLessThan(2.5e6);
  });
});

describe('embedded values', () => {
  it('come back as they were, columns as typed arrays', () => {
    const columns = fc.oneof(
      fc.uint8Array().map((c) => Uint8Array.from(c)),
      fc.uint16Array().map((c) => Uint16Array.from(c)),
      fc.uint32Array().map((c) => Uint32Array.from(c)),
      fc.float64Array().map((c) => Float64Array.from(c)),
    );
    const leaves = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: false }).filter((x) => !Object.is(x, -0)),
      fc.boolean(),
      fc.constant(null),
      columns,
    );
    fc.assert(
      fc.property(fc.array(fc.record({ a: leaves, b: fc.array(leaves) })), (value) => {
        const text = toEmbeddedJson(value);
        expect(text).not.toContain('<');
        expect(fromEmbeddedJson(text)).toEqual(value);
      }),
      { numRuns: 200 },
    );
  });

  it('carry only the part of a buffer that a column sees', () => {
    const whole = Float64Array.from({ length: 1000 }, (_, i) => i);
    expect(fromEmbeddedJson(toEmbeddedJson(whole.subarray(3, 5)))).toEqual(Float64Array.of(3, 4));
    expect(toEmbeddedJson(whole.subarray(3, 5)).length).toBeLessThan(80);
  });

  it('carry columns longer than an argument list may be', () => {
    const long = Float64Array.from({ length: 100_000 }, (_, i) => i / 7);
    expect(fromEmbeddedJson(toEmbeddedJson(long))).toEqual(long);
  });
});
