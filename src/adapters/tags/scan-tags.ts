import { type AudioFormat } from '../../services/audio-format';
import { type AsfFacts, scanAsf } from './asf-scan';
import { type ByteSource } from './byte-source';
import { type ChunkFacts, scanChunks } from './chunk-scan';
import { scanId3 } from './id3-scan';
import { type MatroskaFacts, scanMatroska } from './matroska-scan';
import { type Mp4Facts } from './mp4-movie';
import { scanMp4 } from './mp4-scan';
import { type MpegSpan } from './mpeg-audio';
import { type OggFacts, scanOgg } from './ogg-scan';
import { type PictureLog, scanFlac, scanTrailer } from './picture-scan';

/** What a walk through the container finds beside pictures. */
export interface Facts extends AsfFacts, ChunkFacts, MatroskaFacts, OggFacts {
  /** where MPEG audio is, between its tags */
  readonly mpegSpan?: MpegSpan;
  readonly mp4?: Mp4Facts;
}

/** Our own walk: finds the pictures, and hides what the parser would read for nothing. */
export async function scanTags(
  source: ByteSource,
  format: AudioFormat,
  log: PictureLog,
): Promise<Facts> {
  switch (format) {
    case 'mp3':
    case 'aac': {
      const first = await scanId3(source, 0, log);
      const end = await scanTrailer(source, log);
      return { mpegSpan: { first, end } };
    }
    case 'flac':
      await scanFlac(source, await scanId3(source, 0, log), log);
      return {};
    case 'mp4':
      return { mp4: await scanMp4(source, log) };
    case 'ogg':
      return scanOgg(source, log);
    case 'wav':
    case 'aiff':
      return scanChunks(source, log);
    case 'webm':
      return scanMatroska(source, log);
    case 'wma':
      return scanAsf(source, log);
  }
}
