import { type IPicture } from 'music-metadata';
import { type AudioFormat } from '../../services/audio-format';
import { identifyImage } from '../image-type';
import { type ByteSource, createEditedSource } from './byte-source';
import { PictureLog } from './picture-scan';
import { runParser, settle } from './run-parser';
import { scanTags } from './scan-tags';

/** What is larger is not read; nor is more of them in all, the first ones count. */
export const LARGEST_PICTURE_BYTES = 10_000_000;

/**
 * The picture in the tags of a track that shows it best, in a buffer of its own.
 *
 * @returns undefined without one of a kind and size that is served
 */
export async function readPicture(
  source: ByteSource,
  format: AudioFormat,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const log = new PictureLog(LARGEST_PICTURE_BYTES);
  const facts = await settle(scanTags(source, format, log));
  const edited = createEditedSource(source, log.edits);
  const { parsed } = await runParser(edited, facts?.parseAs ?? format, {
    duration: false,
    skipCovers: false,
  });
  const picture = choosePicture(parsed?.common.picture ?? []);
  return picture && Uint8Array.from(picture.data);
}

/** The front cover, else the first. */
export function choosePicture(
  pictures: readonly Pick<IPicture, 'data' | 'type'>[],
): Pick<IPicture, 'data' | 'type'> | undefined {
  const shown = pictures.filter(
    ({ data }) => data.length <= LARGEST_PICTURE_BYTES && identifyImage(data) !== undefined,
  );
  return shown.find(({ type }) => /front/i.test(type ?? '')) ?? shown[0];
}
