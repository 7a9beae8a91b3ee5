import {
  matchesStrongly,
  matchesWeakly,
  parseEntityTag,
  parseEntityTagCondition,
  type EntityTag,
  type EntityTagCondition,
} from './entity-tag';
import { parseHttpDate } from './http-date';
import { type RequestFields } from './request-fields';

/** What a client may compare its copy with. */
export interface Validators {
  readonly entityTag: EntityTag;
  /** whole seconds since 1970; absent where the representation has no such date */
  readonly lastModifiedSeconds?: number;
}

export type PreconditionOutcome = 'proceed' | 'not-modified' | 'failed';

/**
 * Evaluates the four preconditions of a GET or HEAD, in the order the standard fixes.
 *
 * @param now milliseconds since 1970
 * @see RFC 9110 §13.2.2
 */
export function evaluatePreconditions(
  fields: RequestFields,
  validators: Validators,
  now: number,
): PreconditionOutcome {
  const { entityTag } = validators;

  if (fields.ifMatch !== undefined) {
    if (!names(fields.ifMatch, entityTag, matchesStrongly)) return 'failed';
  } else if (isModifiedSince(fields.ifUnmodifiedSince, validators, now) === true) {
    return 'failed';
  }

  if (fields.ifNoneMatch !== undefined) {
    return names(fields.ifNoneMatch, entityTag, matchesWeakly) ? 'not-modified' : 'proceed';
  }
  return isModifiedSince(fields.ifModifiedSince, validators, now) === false
    ? 'not-modified'
    : 'proceed';
}

/**
 * Whether the `Range` field may be used: always without `If-Range`, otherwise only while the
 * client's copy is byte for byte this one.
 *
 * A date proves that only when it is exactly ours and at least a second old: within its own second
 * a file can change again without the date telling (RFC 9110 §8.8.2.2).
 *
 * @see RFC 9110 §13.1.5
 */
export function isRangeApplicable(
  fields: RequestFields,
  validators: Validators,
  now: number,
): boolean {
  const { ifRange } = fields;
  if (ifRange === undefined) return true;

  const tag = parseEntityTag(ifRange);
  if (tag) return matchesStrongly(tag, validators.entityTag);

  const { lastModifiedSeconds } = validators;
  return (
    lastModifiedSeconds !== undefined &&
    parseHttpDate(ifRange, now) === lastModifiedSeconds &&
    Math.floor(now / 1000) > lastModifiedSeconds
  );
}

function names(
  field: string,
  current: EntityTag,
  matches: (a: EntityTag, b: EntityTag) => boolean,
): boolean {
  const condition: EntityTagCondition = parseEntityTagCondition(field);
  return condition === '*' || condition.some((tag) => matches(tag, current));
}

/** Undefined when the field is absent, no single valid date, or there is no date to compare. */
function isModifiedSince(
  field: string | undefined,
  { lastModifiedSeconds }: Validators,
  now: number,
): boolean | undefined {
  if (field === undefined || lastModifiedSeconds === undefined) return undefined;
  const since = parseHttpDate(field, now);
  return since === undefined ? undefined : lastModifiedSeconds > since;
}
