import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KIND } from '../../core/plan/op.ts';
import { EMPTY_MESSAGE } from '../../viz/timeline/draw-timeline.ts';
import { timelineSvg } from '../../viz/timeline-svg.ts';
import { emptyTrace, pipelineTrace, spansTrace } from './traces.ts';

/** Names of all tags, and whether every `<` starts one. */
const tagsOf = (markup: string): { readonly names: ReadonlySet<string>; readonly clean: boolean } => {
  const tags = [...markup.matchAll(/<\/?([a-zA-Z]+)(?: [a-zA-Z:-]+="[^"<]*")*\/?>/g)];
  return { names: new Set(tags.map(([, name]) => name!)), clean: tags.length === markup.split('<').length - 1 };
};

const OURS = ['svg', 'title', 'desc', 'rect', 'g', 'path', 'text'];

describe('a timeline as SVG', () => {
  it('draws one iteration of 1F1B on three devices', async () => {
    await expect(timelineSvg(pipelineTrace({ capacityBytes: 12 * 2 ** 30 }))).toMatchFileSnapshot('snapshots/1f1b.svg');
  });

  it('draws a BatchLoRA group with transfers at column width in the dark', async () => {
    const trace = pipelineTrace({
      devices: 2,
      adapters: ['law', 'sql', 'poetry'],
      grouped: true,
      iterations: 2,
      transferNs: 3e5,
    });
    await expect(timelineSvg(trace, { width: 480, theme: 'dark' })).toMatchFileSnapshot('snapshots/group.svg');
  });

  it('draws ten thousand spans as shares of time', async () => {
    const trace = pipelineTrace({
      devices: 2,
      adapters: ['law', 'sql'],
      iterations: 250,
      transferNs: 1e5,
      memory: false,
    });
    expect(trace.spans.length).toBeGreaterThan(10_000);
    const svg = timelineSvg(trace, { width: 600 });
    expect(svg.length).toBeLessThan(60_000);
    await expect(svg).toMatchFileSnapshot('snapshots/dense.svg');
  });

  it('says so instead of drawing an empty plot', () => {
    expect(timelineSvg(emptyTrace())).toContain(EMPTY_MESSAGE);
    expect(timelineSvg(pipelineTrace())).not.toContain(EMPTY_MESSAGE);
  });

  it('shows the metrics under the title unless told otherwise', () => {
    const trace = pipelineTrace();
    // (4 + 3 − 1) · (2 + 3) ms and a step of 0.25 ms, of which each device works 4 · 5 ms and its step.
    expect(timelineSvg(trace)).toContain('makespan 30.25 ms · bubble ratio 33.1 % · 8,463 tokens/s');
    expect(timelineSvg(trace, { title: 'A & B', subtitle: 'mine' })).toMatch(/A &amp; B<\/text>[^]*mine<\/text>/);
  });

  it('draws a span without length', () => {
    const withMoment = spansTrace([
      [KIND.forward, 0, 0, 1e6],
      [KIND.step, 0, 5e5, 5e5],
    ]);
    const without = spansTrace([[KIND.forward, 0, 0, 1e6]]);
    const paths = (svg: string): number => svg.split('<path').length;
    expect(paths(timelineSvg(withMoment))).toBeGreaterThan(paths(timelineSvg(without)));
  });

  it('is the same for the same trace', () => {
    expect(timelineSvg(pipelineTrace())).toBe(timelineSvg(pipelineTrace()));
  });

  it('shows hostile names as text, whatever they contain', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (name) => {
        const trace = pipelineTrace({ devices: 2, adapters: [name], deviceName: () => `<script>${name}` });
        const svg = timelineSvg(trace, { title: name, subtitle: `</desc>${name}` });
        const { names, clean } = tagsOf(svg);
        expect(clean).toBe(true);
        expect([...names].filter((tag) => !OURS.includes(tag))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('ends the axis where it is told to, to be compared with another trace', () => {
    expect(timelineSvg(pipelineTrace())).not.toContain('>60<');
    expect(timelineSvg(pipelineTrace(), { endNs: 65e6 })).toContain('>60<');
  });
});
