import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layerLinearParameters } from '../../../core/model/model.ts';
import { countLaunches, totalBytes, totalFlops, type Kernel } from '../../../core/work/kernel.ts';
import { adapterLayerParameters } from '../../../core/work/lora.ts';
import { stageContents } from '../../../core/work/setting.ts';
import { backwardWork, forwardWork, stepWork } from '../../../core/work/stage.ts';
import { EVERY_MODULE, middleLayers, PAPER_ADAPTER, rowsOf, settingOf, wholeModel } from './settings.ts';

const GIGAFLOP = 1e9;
const SHAPE = rowsOf(2, 512);
const TOKENS = 1024;

const flopsOf = (kernels: readonly Kernel[], weight: 'frozen' | 'adapter'): number =>
  totalFlops(kernels.filter((kernel) => kernel.kind === 'gemm' && kernel.weight === weight));
const attentionFlops = (kernels: readonly Kernel[]): number =>
  totalFlops(kernels.filter(({ kind }) => kind === 'attention'));

describe('forward and backward of a whole model', () => {
  it.each([
    ['Llama-2-7B', 27.2],
    ['Llama-2-13B', 52.7],
  ])('of %s at length 512 cost %s GFLOP a token', (name, expected) => {
    const setting = settingOf(name);
    const content = wholeModel(setting.model);
    const flops = totalFlops(forwardWork(setting, content, SHAPE)) + totalFlops(backwardWork(setting, content, SHAPE));
    expect((flops / TOKENS / GIGAFLOP).toFixed(1)).toBe(expected.toFixed(1));
  });
});

describe.each(['Llama-2-7B', 'TinyLlama-1.1B', 'Qwen2.5-32B'])('a layer of %s', (name) => {
  const setting = settingOf(name, [EVERY_MODULE]);
  const { model } = setting;
  const attentionWidth = model.headCount * model.headSize;
  const forward = forwardWork(setting, middleLayers(1), SHAPE);
  const backward = backwardWork(setting, middleLayers(1), SHAPE);

  it('multiplies every token with every frozen weight once, forward and backward', () => {
    const { hiddenSize: h, intermediateSize: f, keyValueHeadCount, headSize } = model;
    const k = keyValueHeadCount * headSize;
    expect(layerLinearParameters(model)).toBe(2 * h * attentionWidth + 2 * h * k + 3 * h * f);
    expect(flopsOf(forward, 'frozen')).toBe(2 * layerLinearParameters(model) * TOKENS);
    expect(flopsOf(backward, 'frozen')).toBe(2 * layerLinearParameters(model) * TOKENS);
  });

  it('costs 4hs a token for attention forward and 8hs backward', () => {
    expect(attentionFlops(forward)).toBe(4 * attentionWidth * 512 * TOKENS);
    expect(attentionFlops(backward)).toBe(8 * attentionWidth * 512 * TOKENS);
  });

  it('costs half of that forward with causal flash attention, and 5/2 of it backward', () => {
    const flash = { ...setting, attention: 'flash' } as const;
    expect(attentionFlops(forwardWork(flash, middleLayers(1), SHAPE))).toBe(2 * attentionWidth * 512 * TOKENS);
    expect(attentionFlops(backwardWork(flash, middleLayers(1), SHAPE))).toBe(5 * attentionWidth * 512 * TOKENS);
  });

  it('costs 2r(in + out) a token for every adapted module, and twice that backward', () => {
    const expected = 2 * adapterLayerParameters(setting, EVERY_MODULE) * TOKENS;
    expect(flopsOf(forward, 'adapter')).toBe(expected);
    expect(flopsOf(backward, 'adapter')).toBe(2 * expected);
  });
});

describe('the lowest layer', () => {
  const setting = settingOf('Llama-2-7B');
  const lowest = { layerCount: 1, embedding: true, head: false };

  it('computes no input gradient of its query, key and value projections', () => {
    const saved = 2 * 3 * 4096 * 4096 * TOKENS;
    const full = backwardWork(setting, middleLayers(1), SHAPE);
    const cut = backwardWork(setting, lowest, SHAPE);
    expect(flopsOf(full, 'frozen') - flopsOf(cut, 'frozen')).toBe(saved);
    expect(attentionFlops(cut)).toBe(attentionFlops(full));
  });

  it('is left out below its lowest adapter', () => {
    const onlyDown = settingOf('Llama-2-7B', [{ ...PAPER_ADAPTER, targetModules: ['down_proj'] }]);
    const backward = backwardWork(onlyDown, lowest, SHAPE);
    expect(flopsOf(backward, 'frozen')).toBe(0);
    expect(attentionFlops(backward)).toBe(0);
    expect(flopsOf(backward, 'adapter')).toBeGreaterThan(0);
  });
});

describe('a BatchLoRA group', () => {
  const setting = settingOf('Llama-2-7B', [PAPER_ADAPTER, PAPER_ADAPTER]);
  const part = { rows: 2, tokens: TOKENS, squaredTokens: 2 * 512 * 512 };
  const single = { parts: [{ adapter: 0, ...part }] };
  const pair = { parts: [{ adapter: 0, ...part }, { adapter: 1, ...part }] };

  it('launches the base once and each adapter for itself: k·α + k·β becomes α + k·β (paper section 3.3)', () => {
    const launches = (shape: typeof single, adapted: boolean): number =>
      countLaunches(forwardWork(adapted ? setting : settingOf('Llama-2-7B', [NONE, NONE]), middleLayers(1), shape));
    const base = launches(single, false);
    const adapter = launches(single, true) - base;
    expect(launches(pair, true)).toBe(base + 2 * adapter);
  });

  it('does the arithmetic of both microbatches', () => {
    const flops = (shape: typeof single): number => totalFlops(forwardWork(setting, middleLayers(1), shape));
    expect(flops(pair)).toBe(2 * flops(single));
  });
});

const NONE = { ...PAPER_ADAPTER, targetModules: [] };

describe('work', () => {
  it('of stages adds up to the work of the model, wherever it is cut', () => {
    const setting = settingOf('TinyLlama-1.1B', [EVERY_MODULE]);
    const { layerCount } = setting.model;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: layerCount - 1 }), (cut) => {
        const stages = stageContents([
          { firstLayer: 0, endLayer: cut },
          { firstLayer: cut, endLayer: layerCount },
        ]);
        for (const work of [forwardWork, backwardWork]) {
          for (const measure of [totalFlops, totalBytes, countLaunches]) {
            const whole = measure(work(setting, wholeModel(setting.model), SHAPE));
            const parts = stages.reduce((sum, content) => sum + measure(work(setting, content, SHAPE)), 0);
            expect(parts / whole).toBeCloseTo(1, 12);
          }
        }
      }),
      { numRuns: 10 },
    );
  });

  it('moves the score matrices only without flash attention', () => {
    const scores = settingOf('Llama-2-7B');
    const moved = totalBytes(forwardWork(scores, middleLayers(1), SHAPE));
    const flash = totalBytes(forwardWork({ ...scores, attention: 'flash' }, middleLayers(1), SHAPE));
    expect(moved - flash).toBe(8 * 32 * 2 * 512 * 512 * 4);
  });

  it('needs fewer launches and passes with fused kernels', () => {
    const eager = settingOf('Llama-2-7B');
    const fused = { ...eager, elementwise: 'fused' } as const;
    for (const work of [forwardWork, backwardWork]) {
      expect(countLaunches(work(fused, middleLayers(1), SHAPE))).toBeLessThan(countLaunches(work(eager, middleLayers(1), SHAPE)));
      expect(totalBytes(work(fused, middleLayers(1), SHAPE))).toBeLessThan(totalBytes(work(eager, middleLayers(1), SHAPE)));
    }
  });

  it('of a step is in proportion to the adapter’s parameters on the stage', () => {
    const setting = settingOf('Llama-2-7B');
    expect(totalBytes(stepWork(setting, middleLayers(8), 0))).toBe(32 * 8 * 16 * 4 * (4096 + 4096));
    expect(countLaunches(stepWork(setting, middleLayers(8), 0))).toBe(countLaunches(stepWork(setting, middleLayers(1), 0)));
  });

  it('names a shape’s adapter that the setting lacks', () => {
    expect(() => forwardWork(settingOf('Llama-2-7B', []), middleLayers(1), SHAPE)).toThrow('no adapter 0: there are 0');
  });
});

describe('the LM head', () => {
  it('costs 2hV a token forward and again backward', () => {
    const setting = settingOf('Llama-3.1-8B');
    const head = { layerCount: 0, embedding: false, head: true };
    expect(totalFlops(forwardWork(setting, head, SHAPE))).toBe(2 * 4096 * 128_256 * TOKENS);
    expect(totalFlops(backwardWork(setting, head, SHAPE))).toBe(2 * 4096 * 128_256 * TOKENS);
  });

  it('makes the last of four stages of an 8B model about 28 % heavier when layers are dealt evenly', () => {
    const setting = settingOf('Llama-3.1-8B');
    const [first, last] = [false, true].map((head) =>
      totalFlops(forwardWork(setting, { layerCount: 8, embedding: false, head }, SHAPE)),
    );
    expect(last! / first!).toBeGreaterThan(1.25);
    expect(last! / first!).toBeLessThan(1.31);
  });
});
