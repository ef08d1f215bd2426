import type { Model } from './model.ts';

/**
 * What one of several tensor-parallel ranks computes, as a narrower model (Shoeybi et al. 2019, section 3): a share of the
 * heads, of the MLP's columns and, where that is shared out too, of the vocabulary. Hidden states keep their width. A rank
 * has at least one key and value head, which ranks then repeat. A LoRA module is cut with its weight: B where the outputs
 * are shared out, A where the inputs are.
 */
export const shardOfModel = (model: Model, ranks: number, { sharesVocabulary = true } = {}): Model => ({
  ...model,
  headCount: model.headCount / ranks,
  keyValueHeadCount: Math.max(1, Math.ceil(model.keyValueHeadCount / ranks)),
  intermediateSize: model.intermediateSize / ranks,
  vocabularySize: sharesVocabulary ? Math.ceil(model.vocabularySize / ranks) : model.vocabularySize,
});
