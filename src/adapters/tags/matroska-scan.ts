import { type ByteSource } from './byte-source';
import { type PictureLog } from './picture-scan';

const SEGMENT = 0x18538067;
const INFO = 0x1549a966;
const CLUSTER = 0x1f43b675;
const CUES = 0x1c53bb6b;
const ATTACHMENTS = 0x1941a469;
const ATTACHED_FILE = 0x61a7;
const MIME_TYPE = 0x4660;
const TIMESTAMP_SCALE = 0x2ad7b1;
const DURATION = 0x4489;
const TITLE = 0x7ba9;
const CLUSTER_TIMESTAMP = 0xe7;
const SIMPLE_BLOCK = 0xa3;
const BLOCK_GROUP = 0xa0;
const BLOCK = 0xa1;

const MOST_ELEMENTS = 50_000;
const LARGEST_TAIL_BYTES = 1024 * 1024;
/** of attachments that are no pictures: fonts, mostly */
const LARGEST_OTHER_BYTES = 1024 * 1024;

interface Element {
  readonly id: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
  readonly isOpenEnded: boolean;
}

/** What the parser leaves out. */
export interface MatroskaFacts {
  /** of a recording that was never finished, and does not say it itself */
  readonly measuredDurationSeconds?: number | null;
  /** without a duration the parser does not look at the title either */
  readonly title?: string | undefined;
}

/**
 * Cuts everything out of a Matroska or WebM file that is neither a tag nor about the stream: the
 * parser then does not walk the clusters, nor read an attached picture.
 *
 * @see RFC 9559 §5
 */
export async function scanMatroska(source: ByteSource, log: PictureLog): Promise<MatroskaFacts> {
  let open: OpenInfo | undefined;
  let lastCluster: Element | undefined;
  for await (const element of readSegment(source)) {
    if (element.id === INFO) open = await readOpenInfo(source, element);
    if (element.id === CLUSTER) lastCluster = element;
    const isHidden =
      element.id === ATTACHMENTS
        ? await scanAttachments(source, element, log)
        : element.id === CLUSTER || element.id === CUES;
    if (isHidden) log.cut(element.start, element.end - element.start);
  }
  if (!open || !lastCluster) return {};
  const end = await readLastTimestamp(source, lastCluster);
  const measuredDurationSeconds = end === null ? null : (end * open.scaleNs) / 1e9;
  return { measuredDurationSeconds, title: open.title };
}

async function* readSegment(source: ByteSource): AsyncGenerator<Element> {
  for await (const top of readElements(source, 0, source.sizeBytes)) {
    if (top.id === SEGMENT) yield* readElements(source, top.content, top.end);
  }
}

async function* readElements(
  source: ByteSource,
  first: number,
  end: number,
): AsyncGenerator<Element> {
  let position = first;
  for (let count = 0; count < MOST_ELEMENTS && position < end; count += 1) {
    const element = await readElement(source, position, end);
    if (!element) return;
    yield element;
    position = element.end;
  }
}

async function readElement(
  source: ByteSource,
  start: number,
  parentEnd: number,
): Promise<Element | undefined> {
  const header = await source.read(start, 12);
  if (header.length < 2) return undefined;
  const idBytes = vintBytes(header.readUInt8(0));
  if (idBytes > 4 || header.length <= idBytes) return undefined;
  const sizeBytes = vintBytes(header.readUInt8(idBytes));
  const content = start + idBytes + sizeBytes;
  if (sizeBytes > 8 || header.length < idBytes + sizeBytes) return undefined;
  const largest = 2n ** BigInt(7 * sizeBytes) - 1n;
  const size = BigInt(`0x${header.toString('hex', idBytes, idBytes + sizeBytes)}`) & largest;
  const isOpenEnded = size === largest;
  const end = isOpenEnded ? parentEnd : Math.min(content + Number(size), parentEnd);
  return { id: header.readUIntBE(0, idBytes), start, content, end, isOpenEnded };
}

/** Length of a variable-size integer that begins with this byte; 9 when there is none. */
function vintBytes(first: number): number {
  return Math.clz32(first) - 23;
}

interface OpenInfo {
  /** nanoseconds of a timestamp's unit */
  readonly scaleNs: number;
  readonly title: string | undefined;
}

/** @returns undefined when the duration is stated */
async function readOpenInfo(source: ByteSource, element: Element): Promise<OpenInfo | undefined> {
  let scaleNs = 1_000_000;
  let text: string | undefined;
  for await (const child of readElements(source, element.content, element.end)) {
    if (child.id === DURATION) return undefined;
    if (child.id === TIMESTAMP_SCALE) scaleNs = (await readUnsigned(source, child)) || scaleNs;
    if (child.id === TITLE) {
      const bytes = await source.read(child.content, Math.min(child.end - child.content, 4000));
      text = bytes.toString('utf8');
    }
  }
  return { scaleNs, title: text };
}

/** @returns whether they are to be hidden: the parser reads all of them, or none */
async function scanAttachments(
  source: ByteSource,
  element: Element,
  log: PictureLog,
): Promise<boolean> {
  let otherBytes = element.end - element.start;
  let isRead = true;
  for await (const file of readElements(source, element.content, element.end)) {
    if (file.id !== ATTACHED_FILE) continue;
    for await (const child of readElements(source, file.content, file.end)) {
      if (child.id !== MIME_TYPE) continue;
      const type = await source.read(child.content, Math.min(child.end - child.content, 100));
      if (!type.toString('latin1').startsWith('image/')) continue;
      isRead = log.addPicture(file.end - file.start) && isRead;
      otherBytes -= file.end - file.start;
    }
  }
  return !isRead || otherBytes > LARGEST_OTHER_BYTES;
}

/** The time after the last block, in units of the file; null when no cluster can be read. */
async function readLastTimestamp(source: ByteSource, last: Element): Promise<number | null> {
  const found = last.isOpenEnded ? await findLastCluster(source, last) : last;
  let base: number | null = null;
  let latest = 0;
  let before = 0;
  for await (const child of readElements(source, found.content, found.end)) {
    if (child.id === CLUSTER_TIMESTAMP) base = await readUnsigned(source, child);
    const blocks =
      child.id === BLOCK_GROUP ? readElements(source, child.content, child.end) : [child];
    for await (const { id, content } of blocks) {
      if (id !== SIMPLE_BLOCK && id !== BLOCK) continue;
      // a track number of one byte (no file with audio has 127 tracks), then the time within the cluster
      const head = await source.read(content, 3);
      if (head.length < 3) continue;
      before = latest;
      latest = head.readInt16BE(1);
    }
  }
  return base === null ? null : base + latest + Math.max(0, latest - before);
}

/** A live recorder leaves clusters open-ended, so the first one seems to reach to the end. */
async function findLastCluster(source: ByteSource, first: Element): Promise<Element> {
  const tailStart = Math.max(first.start, source.sizeBytes - LARGEST_TAIL_BYTES);
  const tail = await source.read(tailStart, source.sizeBytes - tailStart);
  const id = Buffer.from([0x1f, 0x43, 0xb6, 0x75]);
  const position = tailStart + Math.max(0, tail.lastIndexOf(id));
  return (await readElement(source, position, source.sizeBytes)) ?? first;
}

async function readUnsigned(source: ByteSource, element: Element): Promise<number> {
  const bytes = await source.read(element.content, Math.min(element.end - element.content, 8));
  return bytes.length === 0 ? 0 : Number(BigInt(`0x${bytes.toString('hex')}`));
}
