import { lengthOf, resolveRange, type ByteRange } from './byte-range';
import { parseEntityTag, type EntityTag } from './entity-tag';
import { formatHttpDate } from './http-date';
import { evaluatePreconditions, isRangeApplicable, type Validators } from './preconditions';
import { type Representation } from './representation';
import { type RequestFields } from './request-fields';

/** A piece of the content: text we write ourselves, or a slice of the representation. */
export type Segment =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'slice'; readonly range: ByteRange };

/** The whole answer before its first byte: nothing about it is decided later. */
export interface ResponsePlan {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly fields: Readonly<Record<string, string>>;
  /** empty for HEAD, 304, and where an error answer takes the place of the representation */
  readonly segments: readonly Segment[];
  /** bytes in `segments` */
  readonly contentLength: number;
}

export interface PlanRequest {
  readonly method: 'GET' | 'HEAD';
  readonly fields: RequestFields;
  /** milliseconds since 1970 */
  readonly now: number;
  /** delimiter of a multipart content; must not occur in the bytes, so it is random */
  readonly createBoundary: () => string;
}

/** A representation with what every answer about it says: worked out once, good for many plans. */
export interface PreparedRepresentation {
  readonly representation: Representation;
  readonly validators: Required<Validators>;
  readonly cacheFields: Readonly<Record<string, string>>;
  readonly commonFields: Readonly<Record<string, string>>;
}

/** Stored only by the listener's own client, and checked with us before each use. */
const CACHE_CONTROL = 'private, no-cache';
/** For addresses that name the state of what they lead to. */
export const IMMUTABLE = 'private, max-age=31536000, immutable';
/**
 * For a track under an address that names its state, about as long as a playback may last: a player
 * that jumps within what its browser has asks for nothing.
 */
export const KEPT_FOR_A_DAY = 'private, max-age=86400';

/**
 * Decides status, fields and bytes of a GET or HEAD: the preconditions in their order, then the
 * range.
 *
 * @see RFC 9110 §13.2.2 (order), §14.2 (Range only on GET), §15.3.7 (206), §15.4.5 (304)
 */
export function planResponse(request: PlanRequest, representation: Representation): ResponsePlan {
  return planPrepared(request, prepareRepresentation(representation, request.now));
}

/** @param now milliseconds since 1970 */
export function prepareRepresentation(
  representation: Representation,
  now: number,
): PreparedRepresentation {
  // a date ahead of our own clock must not be sent (RFC 9110 §8.8.2.1)
  const lastModifiedSeconds = Math.min(representation.lastModifiedSeconds, Math.floor(now / 1000));
  const cacheFields = {
    ETag: representation.entityTag,
    'Cache-Control': representation.cacheControl ?? CACHE_CONTROL,
    ...representation.furtherFields,
  };
  return {
    representation,
    validators: { entityTag: readOwnTag(representation.entityTag), lastModifiedSeconds },
    cacheFields,
    commonFields: {
      ...cacheFields,
      'Last-Modified': formatHttpDate(lastModifiedSeconds),
      'Accept-Ranges': 'bytes',
      'Content-Disposition': representation.contentDisposition,
    },
  };
}

/** As {@link planResponse}, for a representation that is planned for again and again. */
export function planPrepared(
  request: PlanRequest,
  { representation, validators, cacheFields, commonFields: common }: PreparedRepresentation,
): ResponsePlan {
  const { method, fields, now } = request;
  const { lengthBytes } = representation;

  const outcome = evaluatePreconditions(fields, validators, now);
  if (outcome === 'failed') return withoutContent(412, {});
  if (outcome === 'not-modified') return withoutContent(304, cacheFields);

  if (method === 'GET' && isRangeApplicable(fields, validators, now)) {
    const range = resolveRange(fields.range, lengthBytes);
    if (range.kind === 'unsatisfiable') {
      return withoutContent(416, {
        'Accept-Ranges': 'bytes',
        'Content-Range': `bytes */${lengthBytes}`,
      });
    }
    const [only, ...others] = range.kind === 'ranges' ? range.ranges : [];
    if (only && others.length === 0) return singlePart(only, representation, common);
    if (only) {
      const plan = multipart([only, ...others], representation, request.createBoundary(), common);
      // many small parts can outweigh what they are parts of
      if (plan.contentLength < lengthBytes) return plan;
    }
  }
  return wholeRepresentation(method, representation, common);
}

/**
 * Decides a GET or HEAD of something small that is sent whole and has no date: only entity tags
 * count. The content is the caller's to write.
 */
export function planWithoutRange(
  { fields, now }: Pick<PlanRequest, 'fields' | 'now'>,
  entityTag: string,
): ResponsePlan {
  const outcome = evaluatePreconditions(fields, { entityTag: readOwnTag(entityTag) }, now);
  if (outcome === 'failed') return withoutContent(412, {});
  const cacheFields = { ETag: entityTag, 'Cache-Control': CACHE_CONTROL };
  return withoutContent(outcome === 'not-modified' ? 304 : 200, cacheFields);
}

/** A representation whose length nobody knows before its last byte. */
export type UnboundedRepresentation = Omit<Representation, 'lengthBytes'>;

/**
 * Decides a GET or HEAD of something whose length is not known: preconditions count, ranges do not.
 * Its content, where there is any, follows in chunks.
 */
export function planUnbounded(
  request: PlanRequest,
  representation: UnboundedRepresentation,
): Omit<ResponsePlan, 'segments' | 'contentLength'> {
  const prepared = prepareRepresentation({ ...representation, lengthBytes: 0 }, request.now);
  const outcome = evaluatePreconditions(request.fields, prepared.validators, request.now);
  if (outcome === 'failed') return withoutContent(412, {});
  if (outcome === 'not-modified') return withoutContent(304, prepared.cacheFields);
  return {
    status: 200,
    fields: {
      ...prepared.commonFields,
      'Accept-Ranges': 'none',
      'Content-Type': representation.mediaType,
    },
  };
}

function wholeRepresentation(
  method: 'GET' | 'HEAD',
  { lengthBytes, mediaType }: Representation,
  common: Readonly<Record<string, string>>,
): ResponsePlan {
  const hasContent = method === 'GET' && lengthBytes > 0;
  return {
    status: 200,
    fields: { ...common, 'Content-Type': mediaType, 'Content-Length': String(lengthBytes) },
    segments: hasContent
      ? [{ kind: 'slice', range: { firstPos: 0, lastPos: lengthBytes - 1 } }]
      : [],
    contentLength: hasContent ? lengthBytes : 0,
  };
}

function singlePart(
  range: ByteRange,
  { lengthBytes, mediaType }: Representation,
  common: Readonly<Record<string, string>>,
): ResponsePlan {
  const contentLength = lengthOf(range);
  return {
    status: 206,
    fields: {
      ...common,
      'Content-Type': mediaType,
      'Content-Range': formatContentRange(range, lengthBytes),
      'Content-Length': String(contentLength),
    },
    segments: [{ kind: 'slice', range }],
    contentLength,
  };
}

/** @see RFC 9110 §14.6; RFC 2046 §5.1.1 for the delimiters */
function multipart(
  ranges: readonly ByteRange[],
  { lengthBytes, mediaType }: Representation,
  boundary: string,
  common: Readonly<Record<string, string>>,
): ResponsePlan {
  const segments: Segment[] = ranges.flatMap((range, index) => [
    {
      kind: 'text',
      text:
        `${index === 0 ? '' : '\r\n'}--${boundary}\r\n` +
        `Content-Type: ${mediaType}\r\n` +
        `Content-Range: ${formatContentRange(range, lengthBytes)}\r\n\r\n`,
    },
    { kind: 'slice', range },
  ]);
  segments.push({ kind: 'text', text: `\r\n--${boundary}--\r\n` });
  const contentLength = segments.reduce(
    (sum, segment) =>
      sum + (segment.kind === 'text' ? segment.text.length : lengthOf(segment.range)),
    0,
  );
  return {
    status: 206,
    fields: {
      ...common,
      'Content-Type': `multipart/byteranges; boundary=${boundary}`,
      'Content-Length': String(contentLength),
    },
    segments,
    contentLength,
  };
}

function withoutContent(
  status: 200 | 304 | 412 | 416,
  fields: Readonly<Record<string, string>>,
): ResponsePlan {
  return { status, fields, segments: [], contentLength: 0 };
}

function formatContentRange({ firstPos, lastPos }: ByteRange, completeLength: number): string {
  return `bytes ${firstPos}-${lastPos}/${completeLength}`;
}

function readOwnTag(entityTag: string): EntityTag {
  const tag = parseEntityTag(entityTag);
  if (!tag || tag.isWeak) throw new TypeError('a representation needs a strong entity tag');
  return tag;
}
