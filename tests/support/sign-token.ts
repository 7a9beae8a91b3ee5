import { sign, type SignOptions } from 'jsonwebtoken';

export const TEST_SECRET = 'a-secret-for-tests-of-32-bytes-or-more';

let subjects = 0;

/** A subject that no other test has used, so that quotas in the shared Redis do not meet. */
export function uniqueSubject(): string {
  subjects += 1;
  return `subject-${process.pid}-${Date.now()}-${subjects}`;
}

export function signToken(claims: object = {}, options: SignOptions = {}): string {
  return sign({ sub: uniqueSubject(), ...claims }, TEST_SECRET, {
    algorithm: 'HS256',
    ...('exp' in claims ? {} : { expiresIn: 600 }),
    ...options,
  });
}

export function bearer(claims: object = {}): string {
  return `Bearer ${signToken(claims)}`;
}
