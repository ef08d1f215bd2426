import type { MemoryClass } from '../../core/cost-model.ts';
import type { Trace } from '../../core/trace/trace.ts';
import type { Theme } from '../theme.ts';
import { SWATCH_HEIGHT, SWATCH_WIDTH, type LegendItem } from '../timeline/legend.ts';
import { classesInUse, STACK_ORDER } from './bands.ts';

/** Memory classes as a reader says them. */
export const MEMORY_LABELS: Readonly<Record<MemoryClass, string>> = {
  baseWeights: 'base weights',
  adapters: 'adapters',
  gradients: 'gradients',
  optimizer: 'optimizer',
  activations: 'activations',
  transient: 'transient',
  communication: 'communication',
  context: 'context',
  quantization: 'dequantised weights',
  allocator: 'allocator rounding',
};

/** Classes that the traces use, in the order of the stack. */
export const memoryLegend = (traces: readonly Trace[], theme: Theme): readonly LegendItem[] => {
  const used = new Set(traces.flatMap(classesInUse));
  return STACK_ORDER.filter((name) => used.has(name)).map((name) => ({
    label: MEMORY_LABELS[name],
    drawSwatch: (surface, x, y) => surface.boxes(theme.memory[name], [x, y, SWATCH_WIDTH, SWATCH_HEIGHT]),
  }));
};
