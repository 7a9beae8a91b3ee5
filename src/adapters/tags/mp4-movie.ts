import { type SoundFormat } from './audio-specific-config';
import { type ByteSource } from './byte-source';
import { type Atom, readContent } from './mp4-atom';
import { readSampleEntry } from './mp4-sample-entry';
import { type PictureLog } from './picture-scan';

/** What the movie atom says about the first sound track; the parser knows less, or guesses. */
export interface Mp4Facts extends SoundFormat {
  /** what is played, without the priming that the edit list leaves out */
  readonly durationSeconds?: number | undefined;
  /** a fragmented track's samples in front of its fragments, which the parser does not see */
  readonly initialSeconds?: number | undefined;
}

/** Collects what is in a movie atom while another walks through it. */
export interface MovieReader {
  /** @param path of the atom, from `moov` on; parents come before children */
  visit(path: string, atom: Atom): Promise<void>;
  /** Says what was found, and hides from the parser what it would misunderstand. */
  finish(log: PictureLog): Mp4Facts;
}

const MOST_EDITS = 1000;

interface Clock {
  readonly timescale: number;
  /** in units of the timescale; 0 when it is not known */
  readonly duration: number;
  readonly durationAt: number;
  readonly durationBytes: 4 | 8;
}

interface TrackEdit {
  /** in units of the movie's timescale; 0 is all there is */
  readonly duration: number;
  /** in units of the track's timescale; negative when nothing is played */
  readonly mediaTime: number;
}

interface Track {
  isSound: boolean;
  clock?: Clock;
  edits: readonly TrackEdit[];
  hasSamples: boolean;
  sound: SoundFormat;
}

export function createMovieReader(source: ByteSource): MovieReader {
  const tracks: Track[] = [];
  let movieTimescale = 0;
  let isFragmented = false;

  async function visitTrack(track: Track, path: string, atom: Atom): Promise<void> {
    switch (path) {
      case 'moov/trak/mdia/mdhd':
        track.clock = await readClock(source, atom);
        break;
      case 'moov/trak/mdia/hdlr':
        track.isSound = (await readContent(source, atom, 12)).toString('latin1', 8) === 'soun';
        break;
      case 'moov/trak/edts/elst':
        track.edits = await readEdits(source, atom);
        break;
      case 'moov/trak/mdia/minf/stbl/stts':
        track.hasSamples = (await readContent(source, atom, 8)).readUInt32BE(4) > 0;
        break;
      case 'moov/trak/mdia/minf/stbl/stsd':
        if (track.isSound) track.sound = await readSampleEntry(source, atom);
        break;
    }
  }

  return {
    async visit(path, atom) {
      if (path === 'moov/mvhd') movieTimescale = (await readClock(source, atom)).timescale;
      if (path === 'moov/mvex') isFragmented = true;
      if (path === 'moov/trak') {
        tracks.push({ isSound: false, edits: [], hasSamples: false, sound: {} });
      }
      const track = tracks.at(-1);
      if (track) await visitTrack(track, path, atom);
    },
    finish(log) {
      const track = tracks.find(({ isSound }) => isSound);
      if (!track?.clock || track.clock.timescale === 0) return { ...track?.sound };
      if (!isFragmented) {
        const durationSeconds = measure(track.clock, track.edits, movieTimescale);
        return { ...track.sound, durationSeconds };
      }
      if (!track.hasSamples || track.clock.duration === 0) return track.sound;
      // the parser adds up the fragments only when the track claims no duration of its own
      const { durationAt, durationBytes, duration, timescale } = track.clock;
      log.replace(durationAt, durationBytes, Buffer.alloc(durationBytes));
      return { ...track.sound, initialSeconds: duration / timescale };
    },
  };
}

/** @see ISO/IEC 14496-12 §8.2.2 (mvhd) and §8.4.2 (mdhd), which begin alike */
async function readClock(source: ByteSource, atom: Atom): Promise<Clock> {
  const content = await readContent(source, atom, 32);
  if (content[0] === 1) {
    const duration = content.readBigUInt64BE(24);
    return {
      timescale: content.readUInt32BE(20),
      duration: duration === 0xffff_ffff_ffff_ffffn ? 0 : Number(duration),
      durationAt: atom.content + 24,
      durationBytes: 8,
    };
  }
  const duration = content.readUInt32BE(16);
  return {
    timescale: content.readUInt32BE(12),
    duration: duration === 0xffff_ffff ? 0 : duration,
    durationAt: atom.content + 16,
    durationBytes: 4,
  };
}

/** @see ISO/IEC 14496-12 §8.6.6 */
async function readEdits(source: ByteSource, atom: Atom): Promise<TrackEdit[]> {
  const head = await readContent(source, atom, 8);
  const isLong = head[0] === 1;
  const editBytes = isLong ? 20 : 12;
  const present = Math.floor((atom.end - atom.content - 8) / editBytes);
  const count = Math.min(head.readUInt32BE(4), present, MOST_EDITS);
  if (count <= 0) return [];
  const list = await readContent(source, atom, 8 + count * editBytes);
  return Array.from({ length: count }, (_, i) => {
    const at = 8 + i * editBytes;
    return isLong
      ? {
          duration: Number(list.readBigUInt64BE(at)),
          mediaTime: Number(list.readBigInt64BE(at + 8)),
        }
      : { duration: list.readUInt32BE(at), mediaTime: list.readInt32BE(at + 4) };
  });
}

/** No edit plays more than there is: a movie's timescale is coarse, and some lists are wrong. */
function measure(
  clock: Clock,
  edits: readonly TrackEdit[],
  movieTimescale: number,
): number | undefined {
  if (clock.duration === 0) return undefined;
  const wholeSeconds = clock.duration / clock.timescale;
  const playedSeconds = edits
    .filter(({ mediaTime }) => mediaTime >= 0)
    .map(({ duration, mediaTime }) => {
      const restSeconds = Math.max(0, wholeSeconds - mediaTime / clock.timescale);
      const isAll = duration === 0 || movieTimescale === 0;
      return isAll ? restSeconds : Math.min(restSeconds, duration / movieTimescale);
    })
    .reduce((sum, seconds) => sum + seconds, 0);
  return playedSeconds || wholeSeconds;
}
