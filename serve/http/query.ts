import * as E from 'fp-ts/lib/Either.js';
import * as z from 'zod';
import { wholeNumber } from '../../core/leaves.ts';
import type { Problems } from '../../core/problem.ts';
import { closed, converted, oneOf, readStructure } from '../../core/structure.ts';
import type { ListFilter } from '../state/job-book.ts';

/** A whole number as a query writes it. */
const digits = (minimum: number, maximum: number): z.ZodType<number> =>
  converted(`expected a whole number from ${minimum} to ${maximum}`, (value) => {
    const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : NaN;
    return number >= minimum && number <= maximum ? number : null;
  });

const MOST = Number.MAX_SAFE_INTEGER;

const listing = closed({
  state: oneOf(['all', 'unfinished', 'finished'] as const).default('all'),
  limit: digits(1, 1000).default(100),
  before: digits(1, MOST).nullable().default(null),
});

const since = closed({ after: digits(0, MOST).default(0) });
const thinned = closed({ points: digits(10, 10_000).default(1000) });
const priority = closed({ priority: wholeNumber(-1000, 1000) });

export const readListing = (query: unknown): E.Either<Problems, ListFilter> => readStructure(listing, query);
export const readThinned = (query: unknown): E.Either<Problems, { readonly points: number }> => readStructure(thinned, query);
export const readPriority = (body: unknown): E.Either<Problems, { readonly priority: number }> => readStructure(priority, body);

/** Where a stream begins: behind the event that the client saw last. */
export const readSince = (query: unknown, lastEventId: string | undefined): E.Either<Problems, { readonly after: number }> =>
  readStructure(since, lastEventId === undefined ? query : { after: lastEventId });

/** A client's own name of a request; null where it gives none. */
export const readKey = (header: string | readonly string[] | undefined): E.Either<string, string | null> => {
  if (header === undefined) return E.right(null);
  return typeof header === 'string' && /^[\x20-\x7e]{1,200}$/.test(header) ? E.right(header) : E.left('expected an Idempotency-Key of 1 to 200 printable characters');
};
