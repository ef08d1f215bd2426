import type { Gemm } from './kernel.ts';
import type { WorkSetting } from './setting.ts';

/** Sizes of a dense product [m, k]·[k, n]. */
export interface GemmSize {
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** A dense product on elements of the setting's size: both factors and the result move once. */
export const gemm = (setting: WorkSetting, weight: Gemm['weight'], { m, n, k }: GemmSize): Gemm => ({
  kind: 'gemm',
  weight,
  m,
  n,
  k,
  bytes: setting.elementBytes * (m * k + k * n + m * n),
  count: 1,
});
