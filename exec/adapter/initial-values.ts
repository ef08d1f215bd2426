import { uniformFloat32 } from 'pure-rand/distribution/uniformFloat32';
import { MODULE_NAMES } from '../../core/model/model.ts';
import type { ParameterLayout, Segment } from './parameter-layout.ts';
import { PURPOSE, generatorFor } from './random.ts';

/**
 * First values of an adapter as PEFT draws them: A uniform in ±1/√in (Kaiming with a = √5, `reset_lora_parameters`), B
 * zero. They depend on the seed, the layer and the module only.
 */
export const initialValues = (layout: ParameterLayout, seed: number): Float32Array => {
  const values = new Float32Array(layout.size);
  for (const segment of layout.segments) {
    if (segment.matrix === 'A') drawKaiming(segment, seed, values);
  }
  return values;
};

const drawKaiming = ({ layer, module, size, rank, offset }: Segment, seed: number, values: Float32Array): void => {
  const generator = generatorFor([PURPOSE.initialValues, seed, layer, MODULE_NAMES.indexOf(module)]);
  const bound = 1 / Math.sqrt(size);
  for (let i = 0; i < size * rank; i++) values[offset + i] = (2 * uniformFloat32(generator) - 1) * bound;
};
