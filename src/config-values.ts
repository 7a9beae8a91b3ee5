import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';

/** How the text of a variable is read; each says in its message what it wants, never what it got. */

const MIN_SECRET_BYTES = 32;
/** setTimeout fires at once beyond this */
export const MAX_TIMER_MS = 2 ** 31 - 1;
export const MAX_TIMER_SECONDS = Math.floor(MAX_TIMER_MS / 1000);

/** far more than any machine has use for, and few enough to be started by mistake */
const MAX_WORKERS = 256;
const WORKERS_WANTED = `must be a whole number from 1 to ${MAX_WORKERS}, or auto`;

const isLongEnough = (secret: string): boolean => Buffer.byteLength(secret) >= MIN_SECRET_BYTES;

export const wholeNumber = (min: number, max: number, unit?: string) => {
  const kind = unit === undefined ? 'a whole number' : `a whole number of ${unit}`;
  const wanted = `must be ${kind} from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,15}$/, wanted)
    .transform(Number)
    .refine((value) => value >= min && value <= max, wanted);
};

export const workers = z
  .string()
  .regex(/^(?:auto|\d{1,15})$/, WORKERS_WANTED)
  .transform((value) =>
    value === 'auto' ? Math.min(availableParallelism(), MAX_WORKERS) : Number(value),
  )
  .refine((value) => value >= 1 && value <= MAX_WORKERS, WORKERS_WANTED)
  .transform((value) => (value === 1 ? undefined : value));

const LOUDNESS_WANTED = 'must be a number of LUFS from -40 to -5';

export const loudnessTarget = z
  .string()
  .regex(/^-\d{1,2}(?:\.\d{1,2})?$/, LOUDNESS_WANTED)
  .transform(Number)
  .refine((value) => value >= -40 && value <= -5, LOUDNESS_WANTED);

export const optionalText = z.string().optional();

/** What belongs behind the name of a secret that is missing. */
export const SECRET_WANTED = `a random string of at least ${MIN_SECRET_BYTES} bytes`;

export const secret = z
  .string()
  .refine(isLongEnough, `must be at least ${MIN_SECRET_BYTES} bytes long`);

export const host = z.string().refine(
  // a name whose last label is a number would be an address, and is none
  (value) => isIP(value) !== 0 || /^(?:[\w-]+\.)*(?=[\w-]*[a-z_])[\w-]+\.?$/i.test(value),
  'must be an IP address or a host name',
);

export const redisUrl = z
  .string()
  .refine(
    (value) =>
      value === '' ||
      value.startsWith('/') ||
      (/^rediss?:\/\/./.test(value) && isUrlOf(value, ['redis:', 'rediss:'])),
    'must be a redis:// or rediss:// URL, the absolute path of a socket, or empty for none',
  );

export const corsOrigin = z
  .string()
  .transform((value) => value.split(',').map((origin) => origin.trim()))
  .refine(
    (origins) => (origins.length === 1 && origins[0] === '*') || origins.every(isOrigin),
    'must be * or a comma-separated list of origins such as https://player.example.com',
  )
  .transform((origins): '*' | readonly string[] => (origins[0] === '*' ? '*' : origins));

export const trustProxy = z
  .string()
  .refine(
    (value) => /^\d{1,2}$/.test(value) || value.split(',').every((part) => isSubnet(part.trim())),
    'must be the number of proxies in front (0 for none) or a comma-separated list of their addresses or CIDR ranges',
  )
  .transform((value): number | readonly string[] =>
    /^\d+$/.test(value) ? Number(value) : value.split(',').map((part) => part.trim()),
  );

export const keySetUrl = z
  .string()
  .refine(
    (value) =>
      (isUrlOf(value, ['https:']) || (isUrlOf(value, ['http:']) && isLoopback(value))) &&
      new URL(value).username === '' &&
      new URL(value).password === '',
    'must be an https:// URL, or http:// on loopback, without user name and password',
  );

/** scope-token of RFC 6749 §3.3; it goes into a quoted string as it stands */
export const requiredScope = z
  .string()
  .regex(
    /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/,
    'must be one scope of at most 128 ASCII characters, without spaces, quotes and backslashes',
  );

function isLoopback(value: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(new URL(value).hostname);
}

function isUrlOf(value: string, protocols: readonly string[]): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  return protocols.includes(protocol) && hostname !== '';
}

function isOrigin(value: string): boolean {
  // a pattern would be compared as it stands, and never match
  return (
    isUrlOf(value, ['http:', 'https:']) && new URL(value).origin === value && !value.includes('*')
  );
}

/** A range of all addresses would trust whoever asks. */
function isSubnet(value: string): boolean {
  if (/\/0+$/.test(value)) return false;
  return z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]).safeParse(value).success;
}
