import { AppError } from '../errors';

/** The query of a request target as it was sent; empty where there is none. */
export function parseQuery(target: string): URLSearchParams {
  const start = target.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : target.slice(start));
}

/**
 * A whole number of a query.
 *
 * @param min inclusive, 0 or more
 * @param max inclusive
 * @returns undefined when it is not asked for
 * @throws AppError `bad_request` naming what is allowed
 */
export function readWhole(
  query: URLSearchParams,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const value = readOnce(query, name);
  if (value === undefined) return undefined;
  const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
  if (number >= min && number <= max) return number;
  throw new AppError('bad_request', `${name} must be a whole number from ${min} to ${max}`);
}

/**
 * One of a few words of a query.
 *
 * @returns undefined when it is not asked for
 * @throws AppError `bad_request` naming what is allowed
 */
export function readChoice<Value extends string>(
  query: URLSearchParams,
  name: string,
  values: readonly Value[],
): Value | undefined {
  const value = readOnce(query, name);
  if (value === undefined) return undefined;
  const choice = values.find((allowed) => allowed === value);
  if (choice !== undefined) return choice;
  throw new AppError('bad_request', `${name} must be one of: ${values.join(', ')}`);
}

/**
 * Refuses parameters that nobody reads: a misspelt one would be answered as if it were not there.
 *
 * @throws AppError `bad_request` naming those that are
 */
export function refuseOthers(query: URLSearchParams, names: readonly string[]): void {
  if ([...query.keys()].every((name) => names.includes(name))) return;
  throw new AppError('bad_request', `The parameters of this address are: ${names.join(', ')}`);
}

/**
 * Text of a query.
 *
 * @returns undefined when it is not asked for
 * @throws AppError `bad_request` when it is there twice: readers would take either
 */
export function readOnce(query: URLSearchParams, name: string): string | undefined {
  const [value, ...others] = query.getAll(name);
  if (others.length === 0) return value;
  throw new AppError('bad_request', `${name} may be given only once`);
}
