import { closest, distance } from 'fastest-levenshtein';

/** More wrong letters than that are another word, not a slip; two neighbours swapped count as two. */
const slips = (word: string): number => Math.min(3, Math.floor(word.length / 2));

/** The known word that was probably meant, or null where none is near enough; case does not count. */
export const nearest = (word: string, known: readonly string[]): string | null => {
  const lower = word.toLowerCase();
  const match =
    known.length === 0
      ? ''
      : closest(
          lower,
          known.map((name) => name.toLowerCase()),
        );
  const index = known.findIndex((name) => name.toLowerCase() === match);
  return index >= 0 && distance(lower, match) <= slips(word) ? known[index]! : null;
};

/** A question to append to a message, or nothing. */
export const suggest = (word: unknown, known: readonly string[]): string => {
  const match = typeof word === 'string' ? nearest(word, known) : null;
  return match === null ? '' : `; did you mean ${match}?`;
};
