import { hash } from 'node:crypto';

/** etagc: any visible character except the quote, and obs-text (RFC 9110 §8.8.3) */
const ENTITY_TAG = /^(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/;

const ANY = /^[ \t]*\*[ \t]*$/;

/** An entity tag as sent: `W/` apart, the opaque tag with its quotes. */
export interface EntityTag {
  readonly isWeak: boolean;
  readonly opaqueTag: string;
}

/** What an `If-Match` or `If-None-Match` field names: every representation, or those tags. */
export type EntityTagCondition = '*' | readonly EntityTag[];

/**
 * A strong tag of content that is in memory: the same wherever the bytes are.
 *
 * @param prefix keeps the tags of one resource apart from those of another
 */
export function tagContent(content: Uint8Array, prefix = ''): string {
  return `"${prefix}${hash('sha256', content, 'base64url').slice(0, 22)}"`;
}

/** A strong tag as addresses carry it: without its quotes. */
export function unquote(entityTag: string): string {
  return entityTag.slice(1, -1);
}

/** One entity tag and nothing else, or undefined. */
export function parseEntityTag(field: string): EntityTag | undefined {
  const match = ENTITY_TAG.exec(field);
  return match?.[0].length === field.length ? toEntityTag(match) : undefined;
}

/**
 * Reads a list of entity tags; empty members are skipped as RFC 9110 §5.6.1.2 demands.
 *
 * Reading stops at the first thing that is no tag: what was read until there counts, what follows
 * matches nothing. So a mangled `If-None-Match` costs a download, never a stale copy.
 */
export function parseEntityTagCondition(field: string): EntityTagCondition {
  if (ANY.test(field)) return '*';

  const tags: EntityTag[] = [];
  let rest = field;
  for (;;) {
    rest = rest.replace(/^[ \t,]+/, '');
    const match = ENTITY_TAG.exec(rest);
    if (!match) return tags;
    rest = rest.slice(match[0].length);
    if (!/^[ \t]*(?:,|$)/.test(rest)) return tags;
    tags.push(toEntityTag(match));
  }
}

/** @see RFC 9110 §8.8.3.2 */
export function matchesStrongly(a: EntityTag, b: EntityTag): boolean {
  return !a.isWeak && !b.isWeak && a.opaqueTag === b.opaqueTag;
}

/** @see RFC 9110 §8.8.3.2 */
export function matchesWeakly(a: EntityTag, b: EntityTag): boolean {
  return a.opaqueTag === b.opaqueTag;
}

function toEntityTag(match: RegExpExecArray): EntityTag {
  return { isWeak: match[1] !== undefined, opaqueTag: match[2] ?? '' };
}
