import { type TensorContainer, dispose, tidy } from '@tensorflow/tfjs-core';

/** Runs tensor code and frees every tensor it made except those inside its result (plain objects and arrays of tensors). */
export const scoped = <T>(compute: () => T): T => tidy(compute as () => TensorContainer) as T;

/** Frees every tensor inside plain objects and arrays; undefined and tensors freed before are no mistake. */
export const release = (tensors: unknown): void => dispose(tensors as TensorContainer);
