import { uniformFloat32 } from 'pure-rand/distribution/uniformFloat32';
import type { Adapter } from '../../core/job.ts';
import { MODULE_NAMES } from '../../core/model/model.ts';
import type { ParameterLayout, Segment } from './parameter-layout.ts';
import { PURPOSE, generatorFor } from './random.ts';

/**
 * First values of an adapter as PEFT draws them: A uniform in ±1/√in (Kaiming with a = √5, `reset_lora_parameters`), d
 * constant, all others zero; magnitudes come from the base weights. They depend on the seed, the layer and the module only.
 */
export const initialValues = (layout: ParameterLayout, adapter: Adapter, seed: number): Float32Array => {
  const values = new Float32Array(layout.size);
  for (const segment of layout.segments) {
    const { matrix, offset, size } = segment;
    if (matrix === 'A') drawKaiming(segment, seed, values);
    if (matrix === 'd' && adapter.type === 'vera') values.fill(adapter.initialScale, offset, offset + size);
  }
  return values;
};

const drawKaiming = ({ layer, module, size, rank, offset }: Segment, seed: number, values: Float32Array): void => {
  const generator = generatorFor([PURPOSE.initialValues, seed, layer, MODULE_NAMES.indexOf(module)]);
  const bound = 1 / Math.sqrt(size);
  for (let i = 0; i < size * rank; i++) values[offset + i] = (2 * uniformFloat32(generator) - 1) * bound;
};
