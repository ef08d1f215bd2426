import { type Tensor2D, matMul, ones, profile, randomUniform } from '@tensorflow/tfjs-core';

/** Shape of a product `[rows, inputSize]·[inputSize, outputSize]`. */
export interface ProductShape {
  readonly rows: number;
  readonly inputSize: number;
  readonly outputSize: number;
}

/** Products on the current backend, ready to be run again and again. */
export interface Products {
  /** Of one run. */
  readonly flops: number;
  /** Runs all products once, one after the other. */
  readonly run: () => void;
  readonly dispose: () => void;
}

/** Makes operands for products of the given shapes, to measure the rate that a backend reaches on them. */
export const openProducts = (shapes: readonly ProductShape[]): Products => {
  const operands = shapes.map(
    ({ rows, inputSize, outputSize }) =>
      [randomUniform([rows, inputSize]), randomUniform([inputSize, outputSize])] as const,
  );
  return {
    flops: shapes.reduce((sum, { rows, inputSize, outputSize }) => sum + 2 * rows * inputSize * outputSize, 0),
    run: () => operands.forEach(([x, weight]) => matMul(x, weight).dispose()),
    dispose: () => operands.flat().forEach((operand) => operand.dispose()),
  };
};

/** Hidden states of ones `[tokens, hiddenSize]`, for a stage that is measured without the one before it. */
export const onesLikeHidden = (tokens: number, hiddenSize: number): Tensor2D => ones([tokens, hiddenSize]);

/** Number of kernels that a synchronous call launches on the current backend. */
export const countKernels = async (run: () => void): Promise<number> => {
  const { kernels } = await profile(() => {
    run();
    return [];
  });
  return kernels.length;
};
