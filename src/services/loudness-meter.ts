import { buffer } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { mixFilter } from '../audio/sample-count';
import { parseLoudnessSummary } from '../audio/loudness-summary';
import { type RedisGateway } from '../adapters/redis';
import { decodeTrack } from './decode-track';
import { type DerivationDeps } from './derivation';
import { requireDescriptor, requireFfmpeg } from './ffmpeg-failures';
import { describeLoudness, loudnessSchema, type Loudness } from './loudness-values';
import { nameOutput } from './output-name';
import { type Product, type Recipe } from './productions';
import { loudnessKey } from './redis-keys';
import { type SelectedTrack } from './track-source';

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
   * What is known, or else a measurement, which waits for a place among the jobs.
   *
   * @param selected must stay open until this settles
   * @param subject on whose behalf
   * @throws AppError `track_undecodable`, `track_unavailable`, `overloaded`, `ffmpeg_unavailable` or
   *   `not_implemented`; the signal's reason
   */
  measure(selected: SelectedTrack, subject: string, signal: AbortSignal): Promise<Loudness>;
  /**
   * The same for a job that has its place already, and would wait for itself.
   *
   * @param mix channels that the sound is mixed to first; what that measures is not kept
   */
  measureInPlace(selected: SelectedTrack, signal: AbortSignal, mix?: 1 | 2): Promise<Loudness>;
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
  const inRedis = createRedisShelf(deps);

  const remember = (selected: SelectedTrack, loudness: Loudness | null): void => {
    const ttl = loudness === null ? UNKNOWN_TTL_MS : 0;
    remembered.set(memoryKey(selected), { loudness }, { ttl });
  };

  const nameOf = (selected: SelectedTrack): string =>
    nameOutput(SHAPE, selected, [requireFfmpeg(ffmpeg).version]);

  const lookUp = async (selected: SelectedTrack): Promise<Loudness | undefined> => {
    const name = nameOf(selected);
    const shared = await inRedis.get(name);
    const loudness = shared ?? (await findOnDisk(deps, name));
    if (loudness && !shared) inRedis.set(name, loudness);
    if (loudness) remember(selected, loudness);
    // a measurement may have ended meanwhile
    else if (!knownNow(selected)) remember(selected, null);
    return loudness;
  };

  const knownNow = (selected: SelectedTrack): Loudness | null | undefined =>
    ffmpeg ? remembered.get(memoryKey(selected))?.loudness : null;

  const known = async (selected: SelectedTrack): Promise<Loudness | undefined> => {
    const now = knownNow(selected);
    if (now) return now;
    if (!ffmpeg) return undefined;
    const key = memoryKey(selected);
    const lookup = lookups.get(key) ?? lookUp(selected).finally(() => lookups.delete(key));
    lookups.set(key, lookup);
    return lookup;
  };

  const measureNow = async (selected: SelectedTrack, signal: AbortSignal): Promise<Loudness> => {
    const loudness = await runMeter(deps, selected, signal);
    remember(selected, loudness);
    inRedis.set(nameOf(selected), loudness);
    return loudness;
  };

  const recipe = (selected: SelectedTrack): Recipe => ({
    key: nameOf(selected),
    async produce(append, signal) {
      await append(formatAnswer(await measureNow(selected, signal)));
    },
  });

  return {
    known,
    knownNow,
    recipe,
    measureInPlace: async (selected, signal, mix) =>
      mix === undefined
        ? ((await known(selected)) ?? measureNow(selected, signal))
        : runMeter(deps, selected, signal, mix),
    async measure(selected, subject, signal) {
      const before = await known(selected);
      if (before) return before;
      requireDescriptor(selected);
      const product = await productions.open(recipe(selected), subject);
      try {
        await product.until(Infinity, signal);
        return parseAnswer(await readAll(product, signal));
      } finally {
        product.close();
        await product.whenOver;
      }
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

function memoryKey({ id, entityTag }: SelectedTrack): string {
  return entityTag + id; // the tag ends where its quotes do
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
  mix?: 1 | 2,
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
