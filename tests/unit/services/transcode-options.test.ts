import { AppError } from '../../../src/errors';
import { chooseWithin, parseTranscodeOptions } from '../../../src/services/transcode-options';

const parse = (query: string) => parseTranscodeOptions(new URLSearchParams(query));

describe('parseTranscodeOptions()', () => {
  it.each(['', 'format=original', 't=1&v=2', 'format=original&v=2'])(
    'takes %p for the original',
    (query) => {
      expect(parse(query)).toBeUndefined();
    },
  );

  const plain = { startSeconds: 0, isLeveled: false, channels: undefined };

  it.each([
    ['format=mp3', { ...plain, format: 'mp3', bitrateKbps: 192 }],
    ['format=aac', { ...plain, format: 'aac', bitrateKbps: 128 }],
    ['format=opus&bitrate=32', { ...plain, format: 'opus', bitrateKbps: 32 }],
    ['format=flac', { ...plain, format: 'flac', bitrateKbps: undefined }],
    [
      'format=wav&start=61.5&gain=track&channels=1',
      { format: 'wav', bitrateKbps: undefined, startSeconds: 61.5, isLeveled: true, channels: 1 },
    ],
    ['format=auto', { ...plain, format: 'auto', maxBitrateKbps: Infinity }],
    ['format=auto&maxBitrate=32', { ...plain, format: 'auto', maxBitrateKbps: 32 }],
    ['format=mp3&start=0.001', { ...plain, format: 'mp3', bitrateKbps: 192, startSeconds: 0.001 }],
  ])('reads %p', (query, options) => {
    expect(parse(query)).toEqual(options);
  });

  it.each([
    ['format=', 'format must be one of original, auto, mp3, aac, opus, flac, wav'],
    ['format=MP3', 'format must be one of original, auto, mp3, aac, opus, flac, wav'],
    ['format=constructor', 'format must be one of original, auto, mp3, aac, opus, flac, wav'],
    ['format=mp3&format=mp3', 'format must be given once'],
    ['format=mp3&bitrate=', 'bitrate must be one of 64, 96, 128, 160, 192, 256, 320'],
    ['format=aac&bitrate=320', 'bitrate must be one of 64, 96, 128, 160, 192, 256'],
    ['format=opus&bitrate=320', 'bitrate must be one of 32, 48, 64, 96, 128, 160, 192, 256'],
    ['format=wav&bitrate=128', 'wav is lossless and takes no bitrate'],
    ['format=auto&bitrate=128', 'format=auto takes maxBitrate instead of bitrate'],
    ['format=mp3&maxBitrate=128', 'maxBitrate needs format=auto'],
    ['format=auto&maxBitrate=31', 'maxBitrate must be a whole number of kbit/s from 32 to 2000'],
    ['format=auto&maxBitrate=1e3', 'maxBitrate must be a whole number of kbit/s from 32 to 2000'],
    ['format=mp3&channels=3', 'channels must be one of 1, 2'],
    ['format=mp3&gain=1', 'gain must be one of track'],
    ['format=mp3&start=1e3', 'start must be seconds, with at most three decimals'],
    ['format=mp3&start=1.2345', 'start must be seconds, with at most three decimals'],
    ['format=mp3&start=9999999', 'start must be seconds, with at most three decimals'],
    [
      'format=original&channels=1',
      'channels needs format to be auto or one of mp3, aac, opus, flac, wav',
    ],
  ])('refuses %p', (query, message) => {
    expect(() => parse(query)).toThrow(new AppError('bad_request', message));
  });
});

describe('chooseWithin()', () => {
  it.each([
    [2000, 'mp3', 320],
    [320, 'mp3', 320],
    [191, 'mp3', 160],
    [128, 'mp3', 128],
    [127, 'aac', 96],
    [64, 'aac', 64],
    [63, 'opus', 48],
    [32, 'opus', 32],
  ])('takes for %i kbit/s %s at %i', (maxBitrateKbps, format, bitrateKbps) => {
    expect(chooseWithin(maxBitrateKbps)).toEqual({ format, bitrateKbps });
  });
});
