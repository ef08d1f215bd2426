/**
 * Work of Megatron-LM's GPT layers in fp16, all parameters trained: what one of `tensorParallel` devices does for a
 * microbatch. No dependence on time; attention keeps its score matrix and computes all of it.
 */

export interface GptShape {
  readonly hidden: number;
  readonly heads: number;
  readonly rows: number;
  /** Tokens of a row. */
  readonly length: number;
  readonly tensorParallel: number;
}

export interface GptWork {
  readonly productFlops: number;
  /** Read and written by kernels that are no products. */
  readonly memoryBytes: number;
}

const FP16 = 2;
const FP32 = 4;

/** How often tensors are read or written outside products, in units of the named tensor's bytes. */
export interface Pass {
  /** Products for each of forward's. */
  readonly products: number;
  /** Of [tokens, hidden] on every device. */
  readonly whole: number;
  /** Of [tokens, hidden], divided among the tensor-parallel devices. */
  readonly divided: number;
  /** Of the score matrices. */
  readonly scores: number;
  /** Bytes per logit. */
  readonly logitBytes: number;
}

/**
 * `whole`: two norms (2 each), two times bias, dropout and residual (3 and a mask of one byte); `divided`: bias and GELU
 * of 4 h (2 · 4), bias of qkv (2 · 3); `scores`: scaled and masked softmax (2), dropout (2 and a mask), one more to the
 * next product. Logits are copied to fp32 and passed over for maximum, difference, exponent, sum and division.
 */
export const FORWARD: Pass = { products: 1, whole: 11, divided: 14, scores: 5.5, logitBytes: 2 * FP16 + 9 * FP32 };

/**
 * Gradients of the input and of the weight: two products for each. `whole`: norms (3 each), dropout (2 and a mask,
 * each), residuals (3 each); `divided`: GELU (3 · 4), bias gradients (4 + 3), qkv (2); `scores`: dropout (2 and a mask),
 * softmax (3), four more to and from products.
 */
export const BACKWARD: Pass = { products: 2, whole: 17, divided: 21, scores: 9.5, logitBytes: 3 * FP16 + 4 * FP32 };

/** A layer: 12 h² weights (qkv 3, projection 1, two of 4), and two products of 2 · length² · hidden FLOP a row. */
export const layerWork = ({ hidden, heads, rows, length, tensorParallel }: GptShape, pass: Pass): GptWork => {
  const tokens = rows * length;
  const forwardFlops = 24 * hidden ** 2 * tokens + 4 * rows * length ** 2 * hidden;
  const hiddenBytes = FP16 * tokens * hidden;
  const scoreBytes = FP16 * rows * heads * length ** 2;
  return {
    productFlops: (pass.products * forwardFlops) / tensorParallel,
    memoryBytes: pass.whole * hiddenBytes + (pass.divided * hiddenBytes + pass.scores * scoreBytes) / tensorParallel,
  };
};

/** LM head and cross-entropy, divided among the tensor-parallel devices along the vocabulary. */
export const headWork = ({ hidden, rows, length, tensorParallel }: GptShape, pass: Pass): GptWork => {
  const logits = (rows * length * vocabularyOf(tensorParallel)) / tensorParallel;
  return { productFlops: pass.products * 2 * hidden * logits, memoryBytes: pass.logitBytes * logits };
};

/** GPT-2's 50,257 tokens, padded to 128 for each tensor-parallel device as Megatron does by default. */
export const vocabularyOf = (tensorParallel: number): number => {
  const multiple = 128 * tensorParallel;
  return Math.ceil(50_257 / multiple) * multiple;
};

/** Weights on one device; biases and norms are left out. */
export const parametersOf = (
  { hidden, tensorParallel }: Pick<GptShape, 'hidden' | 'tensorParallel'>,
  { layers, embedding }: { readonly layers: number; readonly embedding: boolean },
): number => (12 * hidden ** 2 * layers + (embedding ? vocabularyOf(tensorParallel) * hidden : 0)) / tensorParallel;
