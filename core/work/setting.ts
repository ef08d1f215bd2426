import type { Precision } from '../cluster/cluster.ts';
import type { Adapter, Optimizer } from '../job.ts';
import type { Model } from '../model/model.ts';
import type { MicrobatchShape, ShapePart, StagePlacement } from '../plan/plan.ts';
import type { BaseWeights } from './frozen-linear.ts';

/** Everything that work depends on besides the stage and the shape. */
export interface WorkSetting {
  readonly model: Model;
  /** In plan order: a shape's `adapter` indexes this list. */
  readonly adapters: readonly Adapter[];
  /** Beside each adapter; absent: all AdamW. */
  readonly optimizers?: readonly Optimizer[];
  /** Bytes of one element of activations and of base weights that are not quantised. */
  readonly elementBytes: number;
  /** How linear modules hold their frozen weights; absent: `full`. */
  readonly baseWeights?: BaseWeights;
  /** `scores` writes the score matrix and keeps it for the backward (the paper's code), `flash` does neither. */
  readonly attention: 'scores' | 'flash';
  /**
   * `eager` launches every elementary operation of norms, RoPE and SwiGLU by itself, `fused` one kernel for each; `tfjs`
   * is this project's executor, which also attends block by block, keeps frozen weights in both orientations and sends
   * only rows with a target through the LM head.
   */
  readonly elementwise: 'eager' | 'fused' | 'tfjs';
}

/** What a stage computes: consecutive layers, the embedding in front of them or the LM head behind them, the loss. */
export interface StageContent {
  readonly layerCount: number;
  readonly embedding: boolean;
  readonly head: boolean;
  /** Whether it makes the loss of the LM head's logits; absent: where the LM head is. */
  readonly loss?: boolean;
  /** Whether backward makes what it needs again from the inputs of the layers; absent: no. */
  readonly recompute?: boolean;
}

/** Whether the loss is made on a stage. */
export const hasLoss = ({ loss, head }: StageContent): boolean => loss ?? head;

/**
 * Content of every stage of a placement: a pipeline's first layers come with the embedding, its last with the LM head. A
 * stage without layers behind them makes the loss of the logits it is sent.
 */
export const stageContents = (stages: readonly Omit<StagePlacement, 'device'>[]): StageContent[] => {
  const layerCount = stages.reduce((most, { endLayer }) => Math.max(most, endLayer), 0);
  const isEmpty = ({ firstLayer, endLayer }: Omit<StagePlacement, 'device'>): boolean => firstLayer === endLayer;
  const lossIsApart = stages.some(isEmpty);
  return stages.map((stage) => ({
    layerCount: stage.endLayer - stage.firstLayer,
    embedding: stage.firstLayer === 0,
    head: stage.endLayer === layerCount && !isEmpty(stage),
    ...(lossIsApart ? { loss: isEmpty(stage) } : {}),
    recompute: stage.recompute === true,
  }));
};

/** Bytes of one element at a precision; TF32 rounds inside the product and is stored as fp32. */
export const elementBytesOf = (precision: Precision): number =>
  precision === 'bf16' || precision === 'fp16' ? 2 : 4;

/** A shape's rows, tokens and squared row lengths, over all adapters. */
export const shapeSize = (
  shape: MicrobatchShape,
): { readonly rows: number; readonly tokens: number; readonly squaredTokens: number } => ({
  rows: shape.parts.reduce((sum, part) => sum + part.rows, 0),
  tokens: shape.parts.reduce((sum, part) => sum + part.tokens, 0),
  squaredTokens: shape.parts.reduce((sum, part) => sum + part.squaredTokens, 0),
});

/** The adapter whose rows a part of a shape carries; throws where the shape names one that the setting lacks. */
export const adapterOf = (setting: WorkSetting, part: Pick<ShapePart, 'adapter'>): Adapter => {
  const adapter = setting.adapters[part.adapter];
  if (adapter === undefined) throw new RangeError(`no adapter ${part.adapter}: there are ${setting.adapters.length}`);
  return adapter;
};

/** Rows that reach the LM head: all of them, or in our executor those that carry a target. */
export const headTokens = (setting: WorkSetting, shape: MicrobatchShape): number =>
  shape.parts.reduce((sum, { tokens, targets }) => sum + (setting.elementwise === 'tfjs' ? (targets ?? tokens) : tokens), 0);
