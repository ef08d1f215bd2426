import { formatTable } from '../text-table.ts';
import { opAt, type Plan } from './plan.ts';
import { formatOp } from './text.ts';
import type { Violation } from './violation.ts';

/** Columns shown on either side of a wrong cell. */
const MARGIN = 4;

/**
 * The violations for people: a line each, and for every device that has one a row of its program around the first,
 * with wrong cells in «guillemets».
 */
export const formatViolations = (plan: Plan, violations: readonly Violation[]): string => {
  const lines = violations.map(
    ({ device, position, rule, message }) =>
      `${plan.devices[device]}${position < 0 ? '' : ` at ${position} (${tokenAt(plan, device, position)})`}: ${rule}: ${message}`,
  );
  return [...lines, '', formatGrid(plan, violations)].join('\n');
};

const tokenAt = (plan: Plan, device: number, position: number): string => {
  const program = plan.programs[device]!;
  return position < program.length ? formatOp(opAt(program, position)) : '';
};

const formatGrid = (plan: Plan, violations: readonly Violation[]): string => {
  const placed = violations.filter(({ position }) => position >= 0);
  const first = placed[0];
  if (first === undefined) return '';
  const start = Math.max(0, first.position - MARGIN);
  const positions = Array.from({ length: 2 * MARGIN + 1 }, (_, offset) => start + offset);
  const rows = plan.devices.map((name, device) => [
    name,
    ...positions.map((position) => {
      const wrong = placed.some((violation) => violation.device === device && violation.position === position);
      const token = tokenAt(plan, device, position);
      return wrong ? `«${token}»` : token;
    }),
  ]);
  return formatTable([['', ...positions.map(String)], ...rows]);
};
