import { buffer } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { mixFilter } from '../audio/sample-count';
import { parseLoudnessSummary } from '../audio/loudness-summary';
import { type RedisGateway } from '../adapters/redis';
import { decodeTrack } from './decode-track';
import { type DerivationDeps } from './derivation';
import { requireFfmpeg } from './ffmpeg-failures';
import { describeLoudness, loudnessSchema, type Loudness } from './loudness-values';
import { nameOutput } from './output-name';
import { type Product, type Recipe } from './production';
import { loudnessKey } from './redis-keys';
import { createSharedWork } from './shared-work';
import { type SelectedTrack } from './track-source';

/** Channels that a track with more of them is mixed to. */
type Mix = 1 | 2;

/** Measures tracks, each of them once. */
export interface LoudnessMeter {
  /**
   * What was measured before, here or by another process; starts nothing.
   *
   * @returns undefined where it is not known, without ffmpeg always; never fails
   */
  known(selected: SelectedTrack): Promise<Loudness | undefined>;
  /**
   * The same from memory.
   *
   * @returns null when `known()` found in the last minute that nobody knows, or there is no ffmpeg;
   *   undefined when it must be asked
   */
  knownNow(selected: SelectedTrack): Loudness | null | undefined;
  /**
   * What is known, or else a measurement, for a job that has its place already; whoever asks for the
   * same meanwhile, here or by the recipe, gets the same one.
   *
   * @param selected must stay open until this settles
   * @param mix channels that the sound is mixed to first, which has a loudness of its own
   * @throws AppError `track_undecodable`, `track_unavailable`, `ffmpeg_unavailable` or
   *   `not_implemented`; the signal's reason
   */
  measureInPlace(selected: SelectedTrack, signal: AbortSignal, mix?: Mix): Promise<Loudness>;
  /** Makes the answer about it; its key is the name of the answer. */
  recipe(selected: SelectedTrack): Recipe;
}

export interface LoudnessMeterDeps extends DerivationDeps {
  readonly redis: Pick<RedisGateway, 'run'>;
  /** in Redis */
  readonly ttlSeconds: number;
}

/** Rises when a value or its form changes though track and ffmpeg are the same. */
const SHAPE = 'loudness1';
/** A few hundred bytes each. */
const MOST_IN_MEMORY = 20_000;
/** So late, at most, it is noticed that another process has measured. */
const UNKNOWN_TTL_MS = 60_000;
const LARGEST_VALUE_BYTES = 1_000;
/** The lines about each moment go where `info` does not look; `quiet` is younger than 4.1. */
const METER = 'ebur128=peak=true+sample:framelog=verbose';

/**
 * Loudness by EBU R128, measured by ffmpeg's own meter and kept in memory, in Redis and, as the
 * answer of the API, on disk.
 */
export function createLoudnessMeter(deps: LoudnessMeterDeps): LoudnessMeter {
  const { ffmpeg, productions } = deps;
  const remembered = new LRUCache<string, { readonly loudness: Loudness | null }>({
    max: MOST_IN_MEMORY,
  });
  const lookups = new Map<string, Promise<Loudness | undefined>>();
  const share = createSharedWork<Loudness>();
  const inRedis = createRedisShelf(deps);

  const remember = (key: string, loudness: Loudness | null): void => {
    const ttl = loudness === null ? UNKNOWN_TTL_MS : 0;
    remembered.set(key, { loudness }, { ttl });
  };

  const nameOf = (selected: SelectedTrack, mix?: Mix): string => {
    const { version } = requireFfmpeg(ffmpeg);
    return nameOutput(SHAPE, selected, mix === undefined ? [version] : [version, mix]);
  };

  const lookUp = async (selected: SelectedTrack, mix?: Mix): Promise<Loudness | undefined> => {
    const name = nameOf(selected, mix);
    const key = memoryKey(selected, mix);
    const shared = await inRedis.get(name);
    const loudness = shared ?? (await findOnDisk(deps, name));
    if (loudness && !shared) inRedis.set(name, loudness);
    if (loudness) remember(key, loudness);
    // a measurement may have ended meanwhile
    else if (!knownAs(key)) remember(key, null);
    return loudness;
  };

  const knownAs = (key: string): Loudness | null | undefined =>
    ffmpeg ? remembered.get(key)?.loudness : null;

  const known = async (selected: SelectedTrack, mix?: Mix): Promise<Loudness | undefined> => {
    const key = memoryKey(selected, mix);
    const now = knownAs(key);
    if (now) return now;
    if (!ffmpeg) return undefined;
    const lookup = lookups.get(key) ?? lookUp(selected, mix).finally(() => lookups.delete(key));
    lookups.set(key, lookup);
    return lookup;
  };

  const measure = async (
    selected: SelectedTrack,
    signal: AbortSignal,
    mix?: Mix,
  ): Promise<Loudness> => {
    const key = memoryKey(selected, mix);
    // while this waited for its place, another may have measured
    const now = knownAs(key);
    if (now) return now;
    const start = async (stopping: AbortSignal): Promise<Loudness> => {
      const loudness = await runMeter(deps, selected, stopping, mix);
      remember(key, loudness);
      inRedis.set(nameOf(selected, mix), loudness);
      return loudness;
    };
    return share(key, start, signal);
  };

  return {
    known: (selected) => known(selected),
    knownNow: (selected) => knownAs(memoryKey(selected)),
    recipe: (selected) => ({
      key: nameOf(selected),
      async produce(append, signal) {
        await append(formatAnswer(await measure(selected, signal)));
      },
    }),
    async measureInPlace(selected, signal, mix) {
      const before = await known(selected, mix);
      if (before) return before;
      const loudness = await measure(selected, signal, mix);
      await productions.keep(nameOf(selected, mix), formatAnswer(loudness));
      return loudness;
    },
  };
}

/** The answer of the API, which is also what is kept on disk. */
export function formatAnswer(data: Loudness): Buffer {
  return Buffer.from(JSON.stringify({ status: 'success', data }));
}

/** @throws what parsing throws, when it is no such answer */
function parseAnswer(answer: Buffer): Loudness {
  const { data } = JSON.parse(answer.toString()) as { readonly data?: unknown };
  return loudnessSchema.parse(data);
}

function memoryKey({ id, entityTag }: SelectedTrack, mix?: Mix): string {
  return `${mix ?? ''}${entityTag}${id}`; // the tag begins and ends with quotes
}

async function findOnDisk(
  { productions }: DerivationDeps,
  name: string,
): Promise<Loudness | undefined> {
  const product = await productions.find(name);
  try {
    return product?.isWhole ? parseAnswer(await readAll(product)) : undefined;
  } catch {
    return undefined; // a broken disk costs a measurement
  } finally {
    product?.close();
  }
}

function readAll(product: Product, signal?: AbortSignal): Promise<Buffer> {
  return buffer(product.read({ firstPos: 0, lastPos: LARGEST_VALUE_BYTES }, signal));
}

interface RedisShelf {
  get(name: string): Promise<Loudness | undefined>;
  set(name: string, loudness: Loudness): void;
}

/** Whatever is wrong with Redis is said where it is watched; here it is a miss. */
function createRedisShelf({ redis, ttlSeconds }: LoudnessMeterDeps): RedisShelf {
  return {
    async get(name) {
      try {
        const key = loudnessKey(name);
        const value = await redis.run((client) => client.getrange(key, 0, LARGEST_VALUE_BYTES));
        return loudnessSchema.parse(JSON.parse(value));
      } catch {
        return undefined;
      }
    },
    set(name, loudness) {
      const value = JSON.stringify(loudness);
      redis
        .run((client) => client.set(loudnessKey(name), value, 'EX', ttlSeconds))
        .catch(() => undefined);
    },
  };
}

async function runMeter(
  { ffmpeg, metadata }: DerivationDeps,
  selected: SelectedTrack,
  signal: AbortSignal,
  mix?: Mix,
): Promise<Loudness> {
  const description = await metadata.describe(selected);
  const decoding = {
    durationSeconds: description.metadata.duration,
    filter: (mix === undefined ? '' : `${mixFilter(mix)},`) + METER,
    // sound that nobody hears shows that it works, and that there was any. Channels and rate are
    // left alone: they would be changed in front of the filter
    outputOptions: ['-nostats', '-c:a', 'pcm_u8'],
    muxer: 'u8',
    logLevel: 'info',
  } as const;
  const log = await decodeTrack(ffmpeg, selected, decoding, () => undefined, signal);
  const summary = parseLoudnessSummary(log);
  if (!summary) throw new Error(`ffmpeg gave no summary of the loudness: ${log}`);
  return describeLoudness(summary);
}
