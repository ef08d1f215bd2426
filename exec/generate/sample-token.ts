import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Picks the next token from the logits of the last position. */
export type SampleToken = (logits: Float32Array) => number;

const largest = (logits: Float32Array): number =>
  logits.reduce((best, logit, token) => (logit > logits[best]! ? token : best), 0);

/** Samples with probability ∝ exp(logit ÷ temperature), from the seed; temperature 0 takes the likeliest token. */
export const createSampler = (temperature: number, seed: number): SampleToken => {
  if (temperature === 0) return largest;
  const generator = xoroshiro128plus(seed);
  return (logits) => {
    const top = logits[largest(logits)]!;
    const weights = Float64Array.from(logits, (logit) => Math.exp((logit - top) / temperature));
    let left = uniformFloat64(generator) * weights.reduce((sum, weight) => sum + weight, 0);
    const token = weights.findIndex((weight) => (left -= weight) < 0);
    // Rounding may leave a rest behind the last token.
    return token >= 0 ? token : largest(logits);
  };
};
