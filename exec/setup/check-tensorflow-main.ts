import { matMul, randomUniform, slice, tidy } from '@tensorflow/tfjs-core';
import * as E from 'fp-ts/lib/Either.js';
import type { Backend } from '../backend/backend.ts';
import { openBackend } from '../backend/open-backend.ts';
import type { CheckResult } from './check-tensorflow.ts';

/* Entry of the process that tries native TensorFlow: prints what it found, or what is wrong. */

const SIZE = 1024;
const ROUNDS = 5;

/** Largest difference of some entries of a·b from their sums in double precision. */
const errorOf = async (backend: Backend): Promise<number> => {
  const [a, b] = [randomUniform([SIZE, SIZE], -1, 1), randomUniform([SIZE, SIZE], -1, 1)];
  const product = matMul(a, b);
  const [x, y, z] = await Promise.all([a, b, product].map((tensor) => backend.read(tensor)));
  const entries = Array.from({ length: 100 }, (_, index) => [(index * 37) % SIZE, (index * 101) % SIZE] as const);
  const errors = entries.map(([row, column]) => {
    let sum = 0;
    for (let k = 0; k < SIZE; k++) sum += x![row * SIZE + k]! * y![k * SIZE + column]!;
    return Math.abs(sum - z![row * SIZE + column]!);
  });
  for (const tensor of [a, b, product]) tensor.dispose();
  return Math.max(...errors);
};

const rateOf = async (backend: Backend): Promise<number> => {
  const [a, b] = [randomUniform([SIZE, SIZE]), randomUniform([SIZE, SIZE])];
  const multiply = async (): Promise<void> => {
    const sums = tidy(() => slice(matMul(a, b), [0, 0], [1, 1]));
    await backend.read(sums);
    sums.dispose();
  };
  await multiply();
  const start = performance.now();
  for (let round = 0; round < ROUNDS; round++) await multiply();
  return (2 * SIZE ** 3 * ROUNDS) / ((performance.now() - start) / 1000);
};

/** TF32 keeps ten bits of each factor. */
const TOLERANCE = 0.5;

const opened = await openBackend('tensorflow');
if (E.isLeft(opened)) {
  process.stderr.write(`${opened.left.join('\n')}\n`);
  process.exit(1);
}
const backend = opened.right;
const error = await errorOf(backend);
if (!(error < TOLERANCE)) {
  process.stderr.write(`a product of two ${SIZE}×${SIZE} matrices is wrong by ${error}\n`);
  process.exit(1);
}
const result: CheckResult = { device: backend.device, flopsPerSecond: await rateOf(backend) };
process.stdout.write(`${JSON.stringify(result)}\n`);
