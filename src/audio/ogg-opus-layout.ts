/** Opus decodes to this rate, whatever was put in. */
export const OPUS_SAMPLE_RATE_HZ = 48_000;

/** What libopus (application "audio", 48 kHz) looks ahead, and a decoder drops from the start. */
const PRE_SKIP_SAMPLES = 312;

const PACKET_SAMPLES = 960;

/** ffmpeg begins a page when the one before has a second of sound (`-page_duration`). */
const PACKETS_PER_PAGE = 50;

const PAGE_HEADER_BYTES = 27;

/** A page's table of lacing values ends at 255; above, ffmpeg would split packets over pages. */
const MOST_LACING_VALUES = 255;

/**
 * Two pages of their own: OpusHead with 19 bytes, and OpusTags with 46 when ffmpeg is told to be
 * `+bitexact`: then it names no version and no tags.
 */
export const OGG_OPUS_HEADER_BYTES = PAGE_HEADER_BYTES + 1 + 19 + (PAGE_HEADER_BYTES + 1 + 46);

/** The form of an Opus stream of packets that are all of one size. */
export interface OpusForm {
  readonly channels: 1 | 2;
  /** kbit/s; a multiple of 2 from 6 to 500, one channel takes at most 256 */
  readonly bitRateKbps: number;
}

/**
 * An Ogg Opus file known before it is encoded, as ffmpeg makes it of libopus in hard constant bit
 * rate.
 */
export interface OggOpusLayout extends OpusForm {
  /** per channel at 48 kHz, as fed into the encoder */
  readonly samples: number;
  readonly packetBytes: number;
  readonly packetCount: number;
  readonly headerBytes: number;
  /** of a page of {@link PACKETS_PER_PAGE} packets: all but the last one */
  readonly pageBytes: number;
  readonly pageSamples: number;
  readonly lengthBytes: number;
}

/**
 * Lays out an Ogg Opus file.
 *
 * @param samples per channel at 48 kHz, exactly as many as the encoder will get; 1 or more
 * @throws RangeError when hard constant bit rate has no such form, or `samples` is no integer above 0
 * @see RFC 7845 §4 (pages, end trimming), RFC 3533 §6 (page header and lacing)
 */
export function planOggOpus({ channels, bitRateKbps }: OpusForm, samples: number): OggOpusLayout {
  if (!Number.isSafeInteger(samples) || samples < 1)
    throw new RangeError('samples must be 1 or more');
  const packetBytes = (bitRateKbps * 1000 * PACKET_SAMPLES) / (8 * OPUS_SAMPLE_RATE_HZ);
  const mostKbps = channels === 1 ? 256 : 500;
  if (!Number.isInteger(packetBytes) || bitRateKbps < 6 || bitRateKbps > mostKbps) {
    throw new RangeError(`no constant ${bitRateKbps} kbit/s in Opus`);
  }
  const packetCount = Math.ceil((samples + PRE_SKIP_SAMPLES) / PACKET_SAMPLES);
  const fullPages = Math.floor(packetCount / PACKETS_PER_PAGE);
  const pageBytes = bytesOfPage(packetBytes, PACKETS_PER_PAGE);
  const lastPageBytes = bytesOfPage(packetBytes, packetCount % PACKETS_PER_PAGE);
  return {
    channels,
    bitRateKbps,
    samples,
    packetBytes,
    packetCount,
    headerBytes: OGG_OPUS_HEADER_BYTES,
    pageBytes,
    pageSamples: PACKETS_PER_PAGE * PACKET_SAMPLES,
    lengthBytes: OGG_OPUS_HEADER_BYTES + fullPages * pageBytes + lastPageBytes,
  };
}

function bytesOfPage(packetBytes: number, packets: number): number {
  if (packets === 0) return 0;
  const lacingValues = Math.floor(packetBytes / MOST_LACING_VALUES) + 1;
  return PAGE_HEADER_BYTES + packets * (lacingValues + packetBytes);
}
