import { describe, expect, it } from 'vitest';
import { job, minimal, problemsOf, read } from './file.ts';

const jobOf = (changes: object) => read({ ...minimal, jobs: [{ ...job, ...changes }] }).jobs[0]!;

describe('an adapter', () => {
  it('may be of every kind that PEFT loads', () => {
    expect(jobOf({ adapter: { type: 'dora', rank: 4 } }).adapter).toMatchObject({ type: 'dora', rank: 4, alpha: 8 });
    expect(jobOf({ adapter: { type: 'vera', rank: 256, projectionSeed: 3 } }).adapter).toEqual({
      type: 'vera',
      rank: 256,
      dropout: 0,
      targetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
      projectionSeed: 3,
      initialScale: 0.1,
    });
  });

  it('of VeRA has no alpha', () => {
    expect(problemsOf({ ...minimal, jobs: [{ ...job, adapter: { type: 'vera', rank: 4, alpha: 8 } }] })).toEqual([
      'jobs[0].adapter.alpha: unknown key; known keys: type, rank, dropout, targetModules, projectionSeed, initialScale',
    ]);
  });

  it('of an unknown kind is refused with the nearest known one', () => {
    expect(problemsOf({ ...minimal, jobs: [{ ...job, adapter: { type: 'dorra', rank: 4 } }] })).toEqual([
      'jobs[0].adapter.type: is "dorra"; expected one of lora, rslora, dora, vera; did you mean dora?',
    ]);
  });
});

describe('an optimizer', () => {
  it('has no keys of another kind', () => {
    expect(problemsOf({ ...minimal, jobs: [{ ...job, optimizer: { type: 'sgd', beta1: 0.9 } }] })).toEqual([
      'jobs[0].optimizer.beta1: unknown key; known keys: type, learningRate, learningRateRatio, maxGradientNorm, schedule, momentum, weightDecay',
    ]);
  });

  it('may be SGD, with a schedule and the ratio of LoRA+', () => {
    const optimizer = { type: 'sgd', momentum: 0.9, learningRateRatio: 16, maxGradientNorm: 1, schedule: { type: 'cosine', warmup: 5 } };
    expect(jobOf({ optimizer }).optimizer).toEqual({ ...optimizer, learningRate: 1e-3, weightDecay: 0 });
  });
});
