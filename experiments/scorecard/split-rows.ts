import type { Observation, Split } from './data-set.ts';

export interface DividedRows<Row> {
  readonly fit: readonly Row[];
  readonly test: readonly Row[];
}

/** The rows as their split divides them; throws unless it names every row exactly once and leaves some for the test. */
export const divideRows = <Row extends Pick<Observation<unknown, string>, 'id'>>(rows: readonly Row[], split: Split): DividedRows<Row> => {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const named = [...split.fit, ...split.test];
  const unknown = named.filter((id) => !byId.has(id));
  const missing = rows.filter(({ id }) => !named.includes(id)).map(({ id }) => id);
  const repeated = named.filter((id, position) => named.indexOf(id) !== position);
  const faults = [
    ...(byId.size < rows.length ? ['two rows have the same id'] : []),
    ...(split.test.length === 0 ? ['no rows are left for the test'] : []),
    ...complaint('unknown', unknown),
    ...complaint('in neither part', missing),
    ...complaint('named twice', repeated),
  ];
  if (faults.length > 0) throw new Error(`split: ${faults.join('; ')}`);
  return { fit: split.fit.map((id) => byId.get(id)!), test: split.test.map((id) => byId.get(id)!) };
};

const complaint = (what: string, ids: readonly string[]): string[] =>
  ids.length === 0 ? [] : [`${what}: ${ids.slice(0, 5).join(', ')}${ids.length > 5 ? ', …' : ''}`];
