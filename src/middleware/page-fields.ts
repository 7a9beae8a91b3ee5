import { type RequestHandler } from 'express';

/** Sources beside those that every page has, by directive: `{ 'img-src': ['data:'] }`. */
export type FurtherSources = Readonly<Record<`${string}-src`, readonly string[]>>;

/** What a page needs at least: its own scripts, styles, pictures and answers, nothing inline. */
const OWN: FurtherSources = {
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'"],
  'connect-src': ["'self'"],
};

/**
 * The policy of a page for people, in place of the one that every other answer has: that allows
 * nothing at all. No page of ours is framed, sends forms or has a `base`.
 *
 * Comes behind the fields that all answers have.
 */
export function createPageFields(further: FurtherSources = {}): RequestHandler {
  const policy = formatPagePolicy(further);
  return (_req, res, next) => {
    res.setHeader('Content-Security-Policy', policy);
    next();
  };
}

/** @see Content Security Policy Level 3 */
export function formatPagePolicy(further: FurtherSources = {}): string {
  const names = new Set([...Object.keys(OWN), ...Object.keys(further)]);
  const sources = [...names].map((name) =>
    [
      name,
      ...(OWN[name as `${string}-src`] ?? []),
      ...(further[name as `${string}-src`] ?? []),
    ].join(' '),
  );
  return [
    "default-src 'none'",
    ...sources,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join(';');
}
