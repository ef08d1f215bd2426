import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import type { Candidate } from './candidate.ts';
import { hostDevice } from './host.ts';

/** TensorFlow.js in plain JavaScript: slow, present everywhere, the oracle of the others. */
export const cpuCandidate: Candidate = {
  prepare: () => Promise.resolve(hostDevice(1)),
  reservedBytes: () => tf.memory().numBytes,
};
