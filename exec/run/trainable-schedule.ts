import type { Schedule } from '../../core/experiment/schedule.ts';
import { problem, type Problem } from '../../core/problem.ts';

/** What ranks of the executor cannot carry out of a schedule: they know one stage each, whole backwards and no collectives but norms. */
export const checkTrainable = (schedule: Schedule): readonly Problem[] => {
  switch (schedule.type) {
    case 'gpipe':
    case '1f1b':
    case 'lorapp':
      return schedule.loss === 'tail' ? [] : [problem('schedule.loss', 'is head; training makes the loss on the last stage, `mlora simulate` on either')];
    default:
      return [problem('schedule.type', `is ${schedule.type}; training runs gpipe, 1f1b and lorapp, \`mlora simulate\` all of them`)];
  }
};
