import type { Misfit } from './events.ts';
import type { PipelineRoom } from './placement.ts';

/** Why a job that needs so many bytes on each device fits on no pipeline even alone, at the pipeline that it comes closest to; null: it fits. */
export const findMisfit = (need: readonly number[], rooms: readonly Pick<PipelineRoom, 'budgetBytes'>[]): Misfit | null => {
  const misfits = rooms.map(({ budgetBytes }) => {
    const missing = need.map((bytes, device) => bytes - budgetBytes[device]!);
    const device = missing.indexOf(Math.max(...missing));
    return { missing: missing[device]!, device, budgetBytes };
  });
  const closest = misfits.reduce((best, each) => (each.missing < best.missing ? each : best));
  if (closest.missing <= 0) return null;
  const { device, budgetBytes } = closest;
  return { kind: 'neverFits', device, requiredBytes: need[device]!, availableBytes: budgetBytes[device]! };
};
