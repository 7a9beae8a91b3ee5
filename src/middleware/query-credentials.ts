import { type Request } from 'express';

/** How other services take account tokens; here they would end up in logs and histories. */
const TOKEN_PARAMETERS = ['access_token', 'token', 'jwt'] as const;

const GRANT = 'grant=';

/**
 * The values of `?grant=` as they were sent: a grant has one spelling, so nothing of it is decoded.
 */
export function findGrants({ originalUrl }: Pick<Request, 'originalUrl'>): readonly string[] {
  const [, query = ''] = /^[^?#]*\?([^#]*)/.exec(originalUrl) ?? [];
  return query
    .split('&')
    .filter((parameter) => parameter.startsWith(GRANT))
    .map((parameter) => parameter.slice(GRANT.length));
}

/** Whether something that looks like an account token is in the query, however it is spelled. */
export function hasTokenInQuery({ query }: Pick<Request, 'query'>): boolean {
  return TOKEN_PARAMETERS.some((name) => name in query);
}
