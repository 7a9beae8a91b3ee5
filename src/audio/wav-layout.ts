import { Buffer } from 'node:buffer';

const HEADER_BYTES = 44;

/** Sizes in a RIFF file are unsigned 32 bit numbers, and the outer one counts 36 bytes of header. */
const MOST_DATA_BYTES = 0xffff_ffff - (HEADER_BYTES - 8);

/** The form of a PCM file. */
export interface WavForm {
  readonly sampleRateHz: number;
  readonly channels: 1 | 2;
  /** 16 is `pcm_s16le`, 24 `pcm_s24le` */
  readonly bitsPerSample: 16 | 24;
}

/** A WAV file known before it is decoded: our header, then raw little-endian PCM. */
export interface WavLayout extends WavForm {
  readonly kind: 'wav';
  /** per channel, to be forced: one more than was asked for where the bytes would be odd */
  readonly samples: number;
  readonly headerBytes: number;
  /** of one sample of all channels */
  readonly blockBytes: number;
  readonly lengthBytes: number;
}

/** Sound that the size fields of a WAV file can't say, such as 6.8 hours of a CD. */
export interface WavTooLarge {
  readonly kind: 'too_large';
  /** what would fit, per channel */
  readonly mostSamples: number;
}

/**
 * Lays out a WAV file.
 *
 * More than 4 GiB is refused: RF64 and sizes that lie are both read as garbage by some players, and
 * FLAC has no such bound.
 *
 * @param samples per channel and in the output's rate
 */
export function planWav(form: WavForm, samples: number): WavLayout | WavTooLarge {
  const { sampleRateHz, channels, bitsPerSample } = form;
  const blockBytes = (bitsPerSample / 8) * channels;
  const mostSamples = Math.floor((MOST_DATA_BYTES - 1) / blockBytes);
  if (samples > mostSamples) return { kind: 'too_large', mostSamples };
  // RIFF wants an even number of bytes; a sample of silence is easier to produce than a stray byte
  const evenSamples = samples + ((samples * blockBytes) % 2);
  return {
    kind: 'wav',
    sampleRateHz,
    channels,
    bitsPerSample,
    samples: evenSamples,
    headerBytes: HEADER_BYTES,
    blockBytes,
    lengthBytes: HEADER_BYTES + evenSamples * blockBytes,
  };
}

/**
 * The 44 bytes before the PCM.
 *
 * 24 bit says plain PCM as well: WAVE_FORMAT_EXTENSIBLE adds nothing for one or two channels, and
 * every player takes this form.
 */
export function formatWavHeader(layout: WavLayout): Buffer {
  const { sampleRateHz, channels, bitsPerSample, blockBytes, lengthBytes, samples } = layout;
  const header = Buffer.alloc(HEADER_BYTES);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(lengthBytes - 8, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(channels, 22);
  header.writeUInt32LE(sampleRateHz, 24);
  header.writeUInt32LE(sampleRateHz * blockBytes, 28);
  header.writeUInt16LE(blockBytes, 32);
  header.writeUInt16LE(bitsPerSample, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(samples * blockBytes, 40);
  return header;
}
