import { type BenchRedis } from './bench-redis';
import { type Libraries } from './libraries';
import { type Lifetime } from './lifetime';
import { type Options } from './options';
import { type Peer } from './peers/peer';

/** What a scenario works with. */
export interface Bench {
  readonly options: Options;
  /** those that were chosen and are installed, in the order of a round */
  readonly peers: readonly Peer[];
  readonly lifetime: Lifetime;
  readonly libraries: Libraries;
  readonly redis: BenchRedis;
  /** for configuration, logs and lists; removed after the run */
  readonly scratchDir: string;
  /** Tells who waits what is going on; not part of the results. */
  say(line: string): void;
}
