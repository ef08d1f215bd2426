/** Families whose Hugging Face `config.json` we read; all are Llama-shaped decoders. */
export type Architecture = 'llama' | 'mistral' | 'qwen2';

export type RopeScaling =
  | { readonly type: 'none' }
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    };

/** Shape of a decoder-only model; one-to-one with the fields of its `config.json`. */
export interface Model {
  readonly name: string;
  readonly architecture: Architecture;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layerCount: number;
  readonly headCount: number;
  readonly keyValueHeadCount: number;
  readonly headSize: number;
  readonly vocabularySize: number;
  readonly maxPositions: number;
  readonly rmsNormEpsilon: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RopeScaling;
  /** Bias on the q, k and v projections (Qwen2). */
  readonly attentionBias: boolean;
  /** The LM head reuses the embedding matrix. */
  readonly tiedEmbeddings: boolean;
}

export const MODULE_NAMES = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

/** The linear modules of a decoder layer, by their Hugging Face names; each may carry a LoRA. */
export type ModuleName = (typeof MODULE_NAMES)[number];

export interface LinearShape {
  readonly inputSize: number;
  readonly outputSize: number;
}

/** Input and output width of one linear module of a decoder layer. */
export const linearShape = (model: Model, module: ModuleName): LinearShape => {
  const queryWidth = model.headCount * model.headSize;
  const keyValueWidth = model.keyValueHeadCount * model.headSize;
  const shapes: Record<ModuleName, LinearShape> = {
    q_proj: { inputSize: model.hiddenSize, outputSize: queryWidth },
    k_proj: { inputSize: model.hiddenSize, outputSize: keyValueWidth },
    v_proj: { inputSize: model.hiddenSize, outputSize: keyValueWidth },
    o_proj: { inputSize: queryWidth, outputSize: model.hiddenSize },
    gate_proj: { inputSize: model.hiddenSize, outputSize: model.intermediateSize },
    up_proj: { inputSize: model.hiddenSize, outputSize: model.intermediateSize },
    down_proj: { inputSize: model.intermediateSize, outputSize: model.hiddenSize },
  };
  return shapes[module];
};

/** Parameters of all linear modules of one layer: 2h² + 2hk + 3hf for square attention. */
export const layerLinearParameters = (model: Model): number =>
  MODULE_NAMES.map((module) => linearShape(model, module)).reduce((sum, s) => sum + s.inputSize * s.outputSize, 0);

/** All parameters of one decoder layer, norms and biases included. */
export const layerParameters = (model: Model): number => {
  const bias = model.attentionBias ? (model.headCount + 2 * model.keyValueHeadCount) * model.headSize : 0;
  return layerLinearParameters(model) + 2 * model.hiddenSize + bias;
};

/** Parameters of the embedding matrix, and of an untied LM head. */
export const embeddingParameters = (model: Model): number => model.vocabularySize * model.hiddenSize;

/** All parameters of the model as its checkpoint stores them (a tied LM head counts once). */
export const modelParameters = (model: Model): number =>
  model.layerCount * layerParameters(model) +
  embeddingParameters(model) * (model.tiedEmbeddings ? 1 : 2) +
  model.hiddenSize;
