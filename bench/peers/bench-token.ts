import { sign } from 'jsonwebtoken';

/** Shared with the peers that verify; long enough for the service in production. */
export const BENCH_SECRET = 'a-secret-for-benchmarks-of-32-bytes-or-more';

/** One listener's credentials, good for longer than any run. */
export function createAuthorization(): string {
  const token = sign({ sub: 'bench-listener' }, BENCH_SECRET, {
    algorithm: 'HS256',
    expiresIn: '6h',
  });
  return `Bearer ${token}`;
}
