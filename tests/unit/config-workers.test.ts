import { availableParallelism } from 'node:os';
import { ConfigError, parseConfig } from '../../src/config';

const JWT_SECRET = 'a-secret-for-tests-of-32-bytes-or-more';

function workersOf(value: string | undefined): number | undefined {
  return parseConfig({ JWT_SECRET, WORKERS: value }).workers;
}

describe('WORKERS', () => {
  it.each([
    ['2', 2],
    ['64', 64],
    ['256', 256],
  ])('%s is so many processes', (value, expected) => {
    expect(workersOf(value)).toBe(expected);
  });

  it.each(['1', '', undefined])('%j is a single process, without workers', (value) => {
    expect(workersOf(value)).toBeUndefined();
  });

  it('auto is one process for each core', () => {
    const cores = Math.min(availableParallelism(), 256);
    expect(workersOf('auto')).toBe(cores === 1 ? undefined : cores);
  });

  it.each(['0', '257', '-1', '1.5', '2 ', 'AUTO', 'auto,2', 'all', '9'.repeat(400)])(
    'refuses %s',
    (value) => {
      expect(() => workersOf(value)).toThrow(
        new ConfigError(['WORKERS must be a whole number from 1 to 256, or auto']),
      );
    },
  );
});
