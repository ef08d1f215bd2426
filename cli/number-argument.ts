import { InvalidArgumentError } from 'commander';

/** Parses an option's value as a number from `minimum` on; `whole` refuses fractions. Commander reports the error. */
export const numberArgument =
  (minimum: number, whole: boolean) =>
  (text: string): number => {
    const value = text.trim() === '' ? NaN : Number(text);
    const accepted = Number.isFinite(value) && value >= minimum && (!whole || Number.isSafeInteger(value));
    if (!accepted) throw new InvalidArgumentError(`expected a ${whole ? 'whole ' : ''}number of at least ${minimum}.`);
    return value;
  };

/** Parses `k/n`, with k from 1 to n. */
export const partArgument = (text: string): { readonly number: number; readonly of: number } => {
  const [number, of] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).slice(1).map(Number);
  if (number === undefined || of === undefined || number < 1 || number > of) throw new InvalidArgumentError('expected k/n with k from 1 to n, e.g. 1/16.');
  return { number, of };
};
