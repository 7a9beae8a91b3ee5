import { createRandomRanges } from './random-ranges';
import { type Scenario } from './scenario';
import { wholeFiles } from './whole-files';

/** In the order they are run and printed in. */
export const ALL_SCENARIOS: readonly Scenario[] = [
  createRandomRanges('64k', 64 * 1024),
  createRandomRanges('1m', 1024 * 1024),
  wholeFiles,
];
