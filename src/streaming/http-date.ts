const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAY = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = '(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})';

const FORMS = [
  // IMF-fixdate, the only one we send: Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^${DAY}, (?<day>\\d{2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  // RFC 850: Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^${LONG_DAY}, (?<day>\\d{2})-${MONTH}-(?<year>\\d{2}) ${TIME} GMT$`),
  // asctime: Sun Nov  6 08:49:37 1994
  new RegExp(`^${DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
];

/**
 * Reads an HTTP-date in any of its three forms.
 *
 * @param now milliseconds since 1970; decides the century of a two-digit year
 * @returns whole seconds since 1970, or undefined when the field is no valid HTTP-date
 * @see RFC 9110 §5.6.7
 */
export function parseHttpDate(field: string, now: number): number | undefined {
  for (const form of FORMS) {
    const groups = form.exec(field)?.groups;
    if (groups) return toSeconds(groups, now);
  }
  return undefined;
}

/** @param seconds whole seconds since 1970 */
export function formatHttpDate(seconds: number): string {
  return new Date(seconds * 1000).toUTCString();
}

function toSeconds(groups: Record<string, string | undefined>, now: number): number | undefined {
  const year = Number(groups.year);
  if (groups.year?.length !== 2) return toSecondsIn(year, groups);

  // more than 50 years ahead means the past (RFC 9110 §5.6.7)
  const limit = new Date(now);
  limit.setUTCFullYear(limit.getUTCFullYear() + 50);
  const century = Math.floor(new Date(now).getUTCFullYear() / 100) * 100;
  for (const start of [century + 100, century, century - 100]) {
    const seconds = toSecondsIn(start + year, groups);
    if (seconds !== undefined && seconds * 1000 <= limit.getTime()) return seconds;
  }
  return undefined;
}

/** Undefined when that year has no such day, or no day such a time. */
function toSecondsIn(year: number, groups: Record<string, string | undefined>): number | undefined {
  const month = MONTHS.indexOf(groups.month ?? '');
  const day = Number(groups.day);
  const hour = Number(groups.hour);
  const minute = Number(groups.minute);
  const second = Number(groups.second);
  // a leap second is valid grammar
  if (hour > 23 || minute > 59 || second > 60) return undefined;

  const date = new Date(0);
  date.setUTCFullYear(year, month, day);
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second);
  return date.getTime() / 1000;
}
