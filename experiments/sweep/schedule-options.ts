import { LORAPP_OPTIONS } from '../../core/experiment/schedule-section.ts';
import { isRecord } from '../../core/structure.ts';

/** The content of an experiment file with its schedule as a mapping, so that an axis can lead into it. */
export const scheduleAsMapping = (content: unknown): unknown =>
  isRecord(content) && typeof content.schedule === 'string' ? { ...content, schedule: { type: content.schedule } } : content;

/**
 * Where an axis sets the schedule's type, options that only another type has are left out: a grid over types may have a
 * base, and other axes, with options of LoRAPP.
 */
export const withoutForeignOptions = (content: unknown): unknown => {
  if (!isRecord(content) || !isRecord(content.schedule) || content.schedule.type === 'lorapp') return content;
  const options = Object.entries(content.schedule).filter(([option]) => !LORAPP_OPTIONS.some((foreign) => foreign === option));
  return { ...content, schedule: Object.fromEntries(options) };
};
