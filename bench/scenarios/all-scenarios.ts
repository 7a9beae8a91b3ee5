import { cachedMetadata } from './cached-metadata';
import { catalogue } from './catalogue';
import { coldMetadata } from './cold-metadata';
import { collection } from './collection';
import { growth } from './growth';
import { hls } from './hls';
import { notModified } from './not-modified';
import { createRandomRanges, wholeFiles } from './one-track';
import { players } from './players';
import { createPaced } from './paced';
import { type Scenario } from './scenario';
import { startUp } from './start-up';
import { transcode } from './transcode';
import { workers } from './workers';

/** In the order they are run and printed in. */
export const ALL_SCENARIOS: readonly Scenario[] = [
  createRandomRanges('64k', 64 * 1024),
  createRandomRanges('1m', 1024 * 1024),
  wholeFiles,
  collection,
  cachedMetadata,
  coldMetadata,
  notModified,
  players,
  createPaced({ listeners: 1_000, mostRounds: 1, withNginx: false }),
  // what the target is about
  createPaced({ listeners: 5_000, mostRounds: Infinity, withNginx: true }),
  createPaced({ listeners: 10_000, mostRounds: 1, withNginx: false }),
  startUp,
  growth,
  catalogue,
  workers,
  transcode,
  hls,
];
