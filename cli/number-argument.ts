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
