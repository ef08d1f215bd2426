import { type Tensor, type Tensor2D, add, matMul, ones, profile, randomUniform, slice, tensor1d, tidy } from '@tensorflow/tfjs-core';
import type { Backend } from './backend.ts';

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

/** Bytes a second that a backend copies between the host's memory and its device. */
export interface CopyRates {
  readonly toDevice: number;
  readonly fromDevice: number;
}

const COPY_ELEMENTS = 2 ** 22;
const COPY_ROUNDS = 5;

const fastest = (seconds: readonly number[]): number => (4 * COPY_ELEMENTS) / Math.min(...seconds);

const secondsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
};

/** Measures copies of 16 MiB; the fastest of some rounds counts. A backend in host memory copies within it. */
export const measureCopies = async (backend: Backend): Promise<CopyRates> => {
  const values = new Float32Array(COPY_ELEMENTS).fill(1);
  const [up, down]: [number[], number[]] = [[], []];
  for (let round = 0; round <= COPY_ROUNDS; round++) {
    let uploaded: Tensor | undefined;
    up.push(
      await secondsOf(async () => {
        // Values are uploaded when a kernel first needs them; reading one element shows that they are there.
        uploaded = tidy(() => add(tensor1d(values), 1));
        const element = slice(uploaded, [0], [1]);
        await backend.read(element);
        element.dispose();
      }),
    );
    down.push(await secondsOf(() => backend.read(uploaded!)));
    uploaded!.dispose();
  }
  return { toDevice: fastest(up.slice(1)), fromDevice: fastest(down.slice(1)) };
};
