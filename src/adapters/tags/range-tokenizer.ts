import { AbstractTokenizer, EndOfStreamError, type IReadChunkOptions } from 'strtok3';
import { type ByteSource, ReadLimitError, READ_LIMITS } from './byte-source';

/**
 * What music-metadata reads through: random access over a byte source.
 *
 * `ignore()` and `setPosition()` read nothing, and a token longer than one read may be is refused
 * before a buffer for it exists.
 */
export class RangeTokenizer extends AbstractTokenizer {
  override readonly fileInfo: { readonly size: number; readonly mimeType: string };

  constructor(
    private readonly source: ByteSource,
    mimeType: string,
  ) {
    super({ maxBufferSize: READ_LIMITS.singleReadBytes });
    this.fileInfo = { size: source.sizeBytes, mimeType };
  }

  override supportsRandomAccess(): boolean {
    return true;
  }

  /** @param position may be past the end, as the parsers expect */
  setPosition(position: number): void {
    this.position = position;
  }

  override async readBuffer(target: Uint8Array, options?: IReadChunkOptions): Promise<number> {
    const { position } = this.normalizeOptions(target, options);
    const lengthBytes = await this.peekBuffer(target, options);
    this.position = position + lengthBytes;
    return lengthBytes;
  }

  override async peekBuffer(target: Uint8Array, options?: IReadChunkOptions): Promise<number> {
    const { length, position, mayBeLess } = this.normalizeOptions(target, options);
    if (length > READ_LIMITS.singleReadBytes) throw new ReadLimitError(`${length} bytes at once`);
    const bytes = await this.source.read(position, length);
    if (bytes.length < length && !mayBeLess) throw new EndOfStreamError();
    target.set(bytes);
    return bytes.length;
  }
}
