import { InvalidArgumentError } from 'commander';

/** Makes the reader of an option that takes a whole number within a range. @throws InvalidArgumentError, which says the range, for anything else. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
  };
}
