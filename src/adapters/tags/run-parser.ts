import { parseFromTokenizer, type IAudioMetadata } from 'music-metadata';
import { type AudioFormat } from '../../services/audio-format';
import { type ByteSource } from './byte-source';
import { RangeTokenizer } from './range-tokenizer';

const PARSER_TYPES: Readonly<Record<AudioFormat, string>> = {
  mp3: 'audio/mpeg',
  flac: 'audio/flac',
  mp4: 'audio/mp4',
  aac: 'audio/aacp',
  ogg: 'audio/ogg',
  wav: 'audio/wav',
  aiff: 'audio/aiff',
  webm: 'audio/webm',
  wma: 'audio/ms-wma',
};

export interface ParsedTags {
  /** what was found until the end, or until the damage */
  readonly parsed: IAudioMetadata | undefined;
  readonly isWhole: boolean;
}

/** Lets music-metadata read what is left to see of a track. Never fails. */
export async function runParser(
  source: ByteSource,
  format: AudioFormat,
  wanted: { readonly duration: boolean; readonly skipCovers: boolean },
): Promise<ParsedTags> {
  const tokenizer = new RangeTokenizer(source, PARSER_TYPES[format]);
  let found: IAudioMetadata | undefined;
  const observer = (event: { readonly metadata: IAudioMetadata }): void => {
    found = event.metadata;
  };
  const parsed = await settle(parseFromTokenizer(tokenizer, { ...wanted, observer }));
  return { parsed: parsed ?? found, isWhole: parsed !== undefined };
}

/** Every kind of failure here is a kind of damage, or the cost limit: nothing tells them apart. */
export async function settle<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch {
    return undefined;
  }
}
