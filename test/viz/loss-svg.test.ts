import { describe, expect, it } from 'vitest';
import { lossSvg } from '../../viz/loss/loss-svg.ts';
import type { LossPoint } from '../../viz/report.ts';
import { LIGHT } from '../../viz/theme.ts';

const falling = (length: number, every: number): readonly LossPoint[] =>
  Array.from({ length }, (_, i) => ({ iteration: i * every, loss: 1 + 2 / (1 + i * every) }));

const draw = (training: readonly LossPoint[], heldout: readonly LossPoint[] = [], name = 'law'): string =>
  lossSvg({ name, training, heldout }, 0, LIGHT);

describe('the loss curves of an adapter', () => {
  it('show training and held-out losses on axes with units', async () => {
    const svg = draw(falling(20, 1), falling(5, 5));
    expect(svg).toContain('loss (nats/token)');
    expect(svg).toContain('iteration');
    await expect(svg).toMatchFileSnapshot('snapshots/loss.svg');
  });

  it('say how they end, for those who do not see them', () => {
    expect(draw(falling(3, 1), falling(2, 2))).toContain(
      'aria-label="law: training loss ends at 1.667, held-out loss at 1.667 nats per token"',
    );
    expect(draw(falling(1, 1))).toContain('held-out loss at none');
  });

  it('have a gap where a loss is not a number', () => {
    const broken = falling(6, 1).map((point) => (point.iteration === 3 ? { ...point, loss: NaN } : point));
    expect(draw(broken)).not.toMatch(/NaN|Infinity/);
    const strokes = (svg: string): number => {
      const [longest] = [...svg.matchAll(new RegExp(`d="([^"]*)" fill="none" stroke="${LIGHT.adapters[0]!.tint}"`, 'g'))]
        .map(([, data]) => data!)
        .sort((a, b) => b.length - a.length);
      return (longest ?? '').split('M').length - 1;
    };
    expect(strokes(draw(falling(6, 1)))).toBe(1);
    expect(strokes(draw(broken))).toBe(2);
  });

  it('survive a single point, equal losses and none at all', () => {
    for (const points of [falling(1, 1), [0, 1, 2].map((iteration) => ({ iteration, loss: 2 }))]) {
      expect(draw(points, points)).not.toMatch(/NaN|Infinity/);
    }
    expect(draw([])).toContain('no losses were recorded');
    expect(draw([{ iteration: 0, loss: NaN }])).toContain('no losses were recorded');
  });
});
