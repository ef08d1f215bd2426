import { isForeign } from '../../core/experiment/schedule-section.ts';
import { SCHEDULE_NAMES } from '../../core/experiment/schedule.ts';
import { isRecord } from '../../core/structure.ts';

/** The content of an experiment file with its schedule as a mapping, so that an axis can lead into it. */
export const scheduleAsMapping = (content: unknown): unknown =>
  isRecord(content) && typeof content.schedule === 'string' ? { ...content, schedule: { type: content.schedule } } : content;

/**
 * Where an axis sets the schedule's type, options that only another type has are left out: a grid over types may have a
 * base, and other axes, with options of other types.
 */
export const withoutForeignOptions = (content: unknown): unknown => {
  if (!isRecord(content) || !isRecord(content.schedule)) return content;
  const written = content.schedule;
  const type = SCHEDULE_NAMES.find((name) => name === written.type);
  if (type === undefined) return content;
  const options = Object.entries(written).filter(([option]) => !isForeign(type, option));
  return { ...content, schedule: Object.fromEntries(options) };
};
