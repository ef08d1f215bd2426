import type { ElementwiseForm, ElementwiseKernel } from './kernel.ts';
import type { WorkSetting } from './setting.ts';

/** Memory-bound pieces of a layer; `Backward` is the input gradient only, weights being frozen. */
export type ElementwisePiece =
  | 'norm'
  | 'normBackward'
  | 'rope'
  | 'ropeBackward'
  | 'swiglu'
  | 'swigluBackward'
  | 'add'
  | 'scaleAdd'
  | 'dropout'
  | 'transpose'
  | 'gather'
  | 'crossEntropy'
  | 'crossEntropyBackward';

/** Kernel launches, and how often the piece's tensor is read or written over all of them. */
interface Passes {
  readonly launches: number;
  readonly passes: number;
}

/**
 * One kernel per piece. SwiGLU: two inputs, one output; its backward reads three tensors and writes two.
 */
const FUSED: Readonly<Record<ElementwisePiece, Passes>> = {
  norm: { launches: 1, passes: 2 },
  normBackward: { launches: 1, passes: 3 },
  rope: { launches: 1, passes: 2 },
  ropeBackward: { launches: 1, passes: 2 },
  swiglu: { launches: 1, passes: 3 },
  swigluBackward: { launches: 1, passes: 5 },
  add: { launches: 1, passes: 3 },
  scaleAdd: { launches: 1, passes: 3 },
  dropout: { launches: 1, passes: 2 },
  transpose: { launches: 1, passes: 2 },
  gather: { launches: 1, passes: 2 },
  crossEntropy: { launches: 1, passes: 2 },
  crossEntropyBackward: { launches: 1, passes: 2 },
};

/**
 * Counted from the tensor operations of Hugging Face transformers' eager `LlamaRMSNorm`, `apply_rotary_pos_emb`,
 * `LlamaMLP` and PyTorch's derivative formulas for them: e.g. a norm is pow, mean, add, rsqrt, mul, mul, of which four
 * touch whole tensors (2 + 1 + 2 + 2 passes); RoPE is mul, neg, cat, mul, add.
 */
const EAGER: Readonly<Record<ElementwisePiece, Passes>> = {
  ...FUSED,
  norm: { launches: 6, passes: 7 },
  normBackward: { launches: 8, passes: 14 },
  rope: { launches: 5, passes: 10 },
  ropeBackward: { launches: 5, passes: 10 },
  swiglu: { launches: 2, passes: 5 },
  swigluBackward: { launches: 3, passes: 9 },
  scaleAdd: { launches: 2, passes: 5 },
  dropout: { launches: 2, passes: 5 },
  crossEntropy: { launches: 3, passes: 4 },
  crossEntropyBackward: { launches: 2, passes: 4 },
};

/** Counted from the TensorFlow.js calls in `exec/model`, where a backward also makes the forward's output again. */
const TFJS: Readonly<Record<ElementwisePiece, Passes>> = {
  ...FUSED,
  norm: { launches: 6, passes: 7 },
  normBackward: { launches: 7, passes: 15 },
  rope: { launches: 6, passes: 13 },
  ropeBackward: { launches: 6, passes: 13 },
  swiglu: { launches: 3, passes: 8 },
  swigluBackward: { launches: 9, passes: 26 },
  dropout: { launches: 1, passes: 3 },
  crossEntropy: { launches: 8, passes: 6 },
  crossEntropyBackward: { launches: 4, passes: 6 },
};

const TABLES: Readonly<Record<WorkSetting['elementwise'], Readonly<Record<ElementwisePiece, Passes>>>> = {
  eager: EAGER,
  fused: FUSED,
  tfjs: TFJS,
};

/** Pieces that have a fused kernel of their own in the measured tables. */
const FORMS: Readonly<Partial<Record<ElementwisePiece, ElementwiseForm>>> = {
  norm: 'norm',
  normBackward: 'norm',
  rope: 'rope',
  ropeBackward: 'rope',
  swiglu: 'activation',
  swigluBackward: 'activation',
};

/** `times` executions of a memory-bound piece on tensors of `elements` elements. */
export const elementwise = (
  setting: WorkSetting,
  piece: ElementwisePiece,
  elements: number,
  times = 1,
): ElementwiseKernel => {
  const { launches, passes } = TABLES[setting.elementwise][piece];
  return {
    kind: 'elementwise',
    form: setting.elementwise === 'fused' ? (FORMS[piece] ?? 'plain') : 'plain',
    bytes: times * passes * elements * setting.elementBytes,
    count: times * launches,
  };
};
