import { KIND } from '../op.ts';
import type { RuleInput } from './rule-input.ts';

/** Every trained adapter is loaded before, saved after, and not released before its last op on each stage. */
export const checkLifecycle = ({ plan, index, report }: RuleInput): void => {
  for (const [stage, { device }] of plan.stages.entries()) {
    for (const adapter of plan.adapters.keys()) {
      const used = index.usedBetween(stage, adapter);
      if (used === null) continue;
      const load = index.at(KIND.load, stage, adapter);
      const save = index.at(KIND.save, stage, adapter);
      const release = index.at(KIND.release, stage, adapter);
      if (load < 0) report('lifecycle', device, -1, `${stage}LOAD${adapter} is missing`);
      else if (load > used.first) report('lifecycle', device, load, `adapter ${adapter} is used before it is loaded`);
      if (save < 0) report('lifecycle', device, -1, `${stage}SAVE${adapter} is missing`);
      else if (save < used.last) report('lifecycle', device, save, `adapter ${adapter} is saved before its last op`);
      if (release >= 0 && release < Math.max(used.last, save)) report('lifecycle', device, release, `adapter ${adapter} is released before its last op`);
    }
  }
};
