import { describe, expect, it } from 'vitest';
import { shardOfModel } from '../../../core/model/shard.ts';
import type { Adapter } from '../../../core/job.ts';
import type { MicrobatchCollectiveKind } from '../../../core/plan/op.ts';
import { gradientCollective, microbatchCollective, sharedWeightBytes } from '../../../core/work/collective.ts';
import { totalFlops } from '../../../core/work/kernel.ts';
import { gatheredInputBytes, sumsBesideProducts } from '../../../core/work/released-tensor-parallel.ts';
import { baseWeightBytes, savedBytes, transferBytes } from '../../../core/work/memory.ts';
import { hasLoss, stageContents, type StageContent } from '../../../core/work/setting.ts';
import { WHOLE, type Sharing } from '../../../core/work/sharing.ts';
import { backwardWork, forwardWork, stepWork } from '../../../core/work/stage.ts';
import { EVERY_MODULE, middleLayers, PAPER_ADAPTER, preset, rowsOf, settingOf, wholeModel } from './settings.ts';

const SHAPE = rowsOf(2, 512);
const TOKENS = 1024;
const SETTING = settingOf('Llama-2-7B', [PAPER_ADAPTER, EVERY_MODULE]);
const WIDTH = 4096;

describe('a tensor-parallel rank', () => {
  const shard = { ...SETTING, model: shardOfModel(SETTING.model, 4) };

  it('computes a quarter of every product', () => {
    const content = wholeModel(SETTING.model);
    const frozen = (setting: typeof SETTING): number =>
      totalFlops(forwardWork(setting, content, SHAPE).filter((kernel) => kernel.kind === 'attention' || (kernel.kind === 'gemm' && kernel.weight === 'frozen')));
    expect(4 * frozen(shard)).toBe(frozen(SETTING));
  });

  it('holds a quarter of the frozen weights but all of the norms', () => {
    const norms = 4 * (2 * 32 + 1) * WIDTH;
    const content = wholeModel(SETTING.model);
    expect(4 * (baseWeightBytes(shard, content) - norms)).toBe(baseWeightBytes(SETTING, content) - norms);
  });

  it('repeats key and value heads where there are fewer than ranks', () => {
    const { headCount, keyValueHeadCount } = shardOfModel(preset('TinyLlama-1.1B'), 8);
    expect([headCount, keyValueHeadCount]).toEqual([4, 1]);
  });
});

const SHARD = { ...SETTING, model: shardOfModel(SETTING.model, 4) };
const RELEASED = { kind: 'tensor', ranks: 4, collectives: 'released' } as const;

const sumsOf = (collectives: 'standard' | 'released', kind: MicrobatchCollectiveKind, layers: number) =>
  microbatchCollective(SHARD, middleLayers(layers), { sharing: { kind: 'tensor', ranks: 4, collectives }, kind, shape: SHAPE });

describe('tensor-parallel sums', () => {
  const hidden = TOKENS * WIDTH * 4;

  it('are two hidden states a layer and direction', () => {
    for (const kind of ['allReduceForward', 'allReduceBackward'] as const) expect(sumsOf('standard', kind, 8)).toEqual({ bytes: 16 * hidden, calls: 16 });
  });

  it('as released are five hidden-wide sums more a layer: LoRA’s in both directions, and one of every input gradient', () => {
    const narrow = TOKENS * 16 * 4;
    expect(sumsOf('released', 'allReduceForward', 8)).toMatchObject({ bytes: 8 * (3.5 * hidden + 3 * narrow), calls: 8 * (3.5 + 3) });
    expect(sumsOf('released', 'allReduceBackward', 8)).toMatchObject({ bytes: 8 * (7 * hidden + 3 * narrow), calls: 8 * (7 + 3) });
  });

  it('as released leave out the input gradients of q, k and v in the lowest layer, and the ends, which every rank has whole', () => {
    const callsOf = (kind: MicrobatchCollectiveKind): number =>
      microbatchCollective(SHARD, wholeModel(SETTING.model), { sharing: RELEASED, kind, shape: SHAPE }).calls;
    expect([callsOf('allReduceForward'), callsOf('allReduceBackward')]).toEqual([32 * 6.5, 32 * 10 - 4.5]);
  });

  it('as released run beside products where nothing waits for them: three hidden-wide sums of a layer', () => {
    const hiddenSums = (content: StageContent): number =>
      sumsBesideProducts(SHARD, content, RELEASED, SHAPE).reduce((sum, { layers, bytes }) => sum + (layers * bytes) / hidden, 0);
    expect(hiddenSums(middleLayers(4))).toBe(4 * 3);
    expect(hiddenSums({ ...middleLayers(4), embedding: true })).toBe(4 * 3 - 3 * 0.5);
  });

  it('as released gather what an adapter on cut inputs reads, over the whole width of the module', () => {
    const down: Adapter = { ...PAPER_ADAPTER, targetModules: ['down_proj'] };
    const shard = { ...SETTING, adapters: [down], model: shardOfModel(SETTING.model, 4, { sharesVocabulary: false }) };
    expect(shard.model.vocabularySize).toBe(32_000);
    expect(gatheredInputBytes(shard, middleLayers(2), RELEASED, SHAPE)).toBe(2 * TOKENS * 11_008 * 4);
    expect(gatheredInputBytes(SHARD, middleLayers(2), RELEASED, SHAPE)).toBe(2 * hidden);
    expect(gatheredInputBytes(SHARD, { ...middleLayers(2), recompute: true }, RELEASED, SHAPE)).toBe(0);
  });

  it('also put the shards of the vocabulary together, and leave out the input gradient of the lowest layer', () => {
    const sharing: Sharing = { kind: 'tensor', ranks: 4, collectives: 'standard' };
    const callsOf = (kind: MicrobatchCollectiveKind): number =>
      microbatchCollective(SETTING, wholeModel(SETTING.model), { sharing, kind, shape: SHAPE }).calls;
    expect([callsOf('allReduceForward'), callsOf('allReduceBackward')]).toEqual([65, 64]);
  });
});

describe('sharded weights', () => {
  const sharded = (unit: 'layer' | 'module', fp32 = false): Sharing => ({ kind: 'sharded', ranks: 4, unit, fp32 });
  const gathered = (unit: 'layer' | 'module') => microbatchCollective(SETTING, middleLayers(1), { sharing: sharded(unit), kind: 'allGatherForward', shape: SHAPE });

  it('are gathered a layer a call, with the adapter of the microbatch', () => {
    const adapter = 4 * 16 * 4 * (WIDTH + WIDTH);
    expect(gathered('layer')).toEqual({ bytes: baseWeightBytes(SETTING, middleLayers(1)) + adapter, calls: 1 });
  });

  it('as released take a call more for every lora_A and lora_B: 256 of them in 7B', () => {
    expect(32 * (gathered('module').calls - 1)).toBe(256);
    expect(gathered('module').bytes).toBe(gathered('layer').bytes);
    const reduced = (unit: 'layer' | 'module') =>
      gradientCollective(SETTING, middleLayers(32), { sharing: sharded(unit), kind: 'reduceScatterGradients', adapter: 0 });
    expect([reduced('layer').calls, reduced('module').calls]).toEqual([32, 256]);
    expect(reduced('layer').bytes).toBe(32 * 4 * 16 * 4 * (WIDTH + WIDTH));
  });

  it('need no embedding in backward', () => {
    const first = { ...middleLayers(1), embedding: true };
    const bytesOf = (kind: MicrobatchCollectiveKind): number => microbatchCollective(SETTING, first, { sharing: sharded('layer'), kind, shape: SHAPE }).bytes;
    expect(bytesOf('allGatherForward') - bytesOf('allGatherBackward')).toBe(4 * 32_000 * WIDTH);
  });

  it('may be gathered in fp32 whatever the precision', () => {
    const bf16 = { ...SETTING, elementBytes: 2 };
    expect(sharedWeightBytes(bf16, middleLayers(1), sharded('layer', true))).toBe(2 * sharedWeightBytes(bf16, middleLayers(1), sharded('layer')));
    expect(sharedWeightBytes(bf16, middleLayers(1), WHOLE)).toBe(baseWeightBytes(bf16, middleLayers(1)));
  });

  it('are stepped a share on each rank', () => {
    const bytes = (ranks: number): number => stepWork(SETTING, middleLayers(8), 0, ranks).reduce((sum, kernel) => sum + ('bytes' in kernel ? kernel.bytes : 0), 0);
    expect(4 * bytes(4)).toBe(bytes(1));
  });
});

describe('the loss on a stage of its own', () => {
  const contents = stageContents([
    { firstLayer: 0, endLayer: 16 },
    { firstLayer: 16, endLayer: 32 },
    { firstLayer: 32, endLayer: 32 },
  ]);

  it('is made of fp32 logits, which the last layers send: 500 MiB of 8 × 512 tokens', () => {
    expect(contents.map(({ head, embedding }) => [embedding, head])).toEqual([[true, false], [false, true], [false, false]]);
    expect(contents.map(hasLoss)).toEqual([false, false, true]);
    const bf16 = { ...SETTING, elementBytes: 2 };
    expect(transferBytes(bf16, contents[1]!, rowsOf(8, 512))).toBe(500 * 2 ** 20);
    expect(transferBytes(bf16, contents[0]!, rowsOf(8, 512))).toBe(8 * 512 * WIDTH * 2);
  });

  it('adds nothing and leaves nothing out', () => {
    const together = stageContents([{ firstLayer: 0, endLayer: 16 }, { firstLayer: 16, endLayer: 32 }]);
    const sum = (parts: typeof contents, of: (content: (typeof contents)[number]) => number): number => parts.reduce((total, part) => total + of(part), 0);
    for (const work of [forwardWork, backwardWork]) {
      const bytesOf = (content: (typeof contents)[number]): number => work(SETTING, content, SHAPE).reduce((total, kernel) => total + ('bytes' in kernel ? kernel.bytes * (kernel.kind === 'gemm' ? kernel.count : 1) : 0), 0);
      expect(sum(contents, bytesOf)).toBe(sum(together, bytesOf));
    }
    expect(sum(contents, (content) => savedBytes(SETTING, content, SHAPE))).toBe(sum(together, (content) => savedBytes(SETTING, content, SHAPE)));
    expect(stepWork(SETTING, contents[2]!, 0)).toEqual([]);
  });
});

describe('the halves of a backward', () => {
  it('are all of it: the adapters’ weight gradients, and the rest', () => {
    const content = { ...wholeModel(SETTING.model), recompute: true };
    const flops = (half: 'both' | 'input' | 'weight'): number => totalFlops(backwardWork(SETTING, content, SHAPE, half));
    expect(flops('input') + flops('weight')).toBe(flops('both'));
    // 2 · tokens · rank · (in + out) for A and B of four square modules.
    expect(flops('weight')).toBe(32 * 4 * 2 * TOKENS * 16 * (WIDTH + WIDTH));
  });
});
