import { type TensorContainer, tidy } from '@tensorflow/tfjs-core';

/** Runs tensor code and frees every tensor it made except those inside its result (plain objects and arrays of tensors). */
export const scoped = <T>(compute: () => T): T => tidy(compute as () => TensorContainer) as T;
