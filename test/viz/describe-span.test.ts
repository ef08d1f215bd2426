import { describe, expect, it } from 'vitest';
import { KIND } from '../../core/plan/op.ts';
import { describeSpan } from '../../viz/timeline/describe-span.ts';
import { labelFor } from '../../viz/timeline/span-label.ts';
import { pipelineTrace, spansTrace } from './traces.ts';

const group = pipelineTrace({ devices: 2, adapters: ['law', 'sql'], grouped: true, transferNs: 1e5 });
const find = (kind: number, operand: number): number =>
  group.spans.kind.findIndex((k, i) => k === kind && group.spans.operand[i] === operand);

describe('the details of a span', () => {
  it('name op, microbatch, every adapter with iteration and piece, place and times', () => {
    expect(describeSpan(group, find(KIND.backward, 2))).toEqual({
      title: '1B2 · backward',
      facts: [
        ['microbatch', '2'],
        ['adapter', 'law, iteration 0, piece 2'],
        ['adapter', 'sql, iteration 0, piece 2'],
        ['device', 'gpu1'],
        ['stage', '1, layers 4 to 7'],
        ['stream', 'compute'],
        ['start', '14.3 ms'],
        ['end', '17.3 ms'],
        ['duration', '3 ms'],
      ],
    });
  });

  it('name adapter and iteration of a step', () => {
    const { title, facts } = describeSpan(group, find(KIND.step, 1));
    expect(title).toMatch(/^\dSTEP1\.0 · optimizer step$/);
    expect(facts.slice(0, 2)).toEqual([
      ['adapter', 'sql'],
      ['iteration', '0'],
    ]);
  });

  it('name the stream of a transfer', () => {
    const { title, facts } = describeSpan(group, find(KIND.sendForward, 0));
    expect(title).toBe('0SEND_F0 · send activations');
    expect(facts).toContainEqual(['stream', 'send']);
  });
});

describe('the label in a bar', () => {
  it('says as much as fits', () => {
    const span = find(KIND.forward, 3);
    const texts = [200, 40, 12, 9.5, 4].map((width) => labelFor(group, span, width));
    expect(texts.map((label) => label?.text)).toEqual(['F3 law + sql', 'F3', '3', '3', undefined]);
    expect(texts.map((label) => label?.size)).toEqual([11, 11, 11, 9, undefined]);
  });

  it('is never wider than the bar', () => {
    const trace = spansTrace([
      [KIND.forward, 3, 0, 1],
      [KIND.step, 0, 1, 2],
      [KIND.load, 0, 2, 3],
    ]);
    for (let span = 0; span < 3; span++) {
      for (let width = 0; width < 120; width++) {
        const label = labelFor(trace, span, width);
        if (label !== null) expect(label.text.length * label.size * 0.5).toBeLessThan(width);
      }
    }
    expect(labelFor(trace, 1, 100)?.text).toBe('S alpha');
    expect(labelFor(trace, 2, 100)?.text).toBe('load alpha');
  });
});
