import { type AddressInfo } from 'node:net';
import { type SharedCount } from '../services/shared-counter';

/** What a worker wants to know of the primary, and the primary remembers for all of them. */
export type Question =
  | {
      readonly kind: 'add';
      readonly key: string;
      readonly hits: number;
      readonly windowMs: number;
    }
  | { readonly kind: 'admit'; readonly key: string; readonly ttlMs: number }
  | { readonly kind: 'isAdmitted'; readonly key: string };

/** A count for `add`; for the others whether the key is admitted now. */
export type Answer = SharedCount | boolean;

/** From a worker to its primary. */
export type WorkerMessage =
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  | { readonly kind: 'listening'; readonly address: AddressInfo; readonly isRedisUp: boolean }
  /** it accepts nothing more, whoever told it to stop */
  | { readonly kind: 'stopping' }
  | { readonly kind: 'stopped'; readonly connectionsCut: number };

/** From the primary to a worker. */
export type PrimaryMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly kind: 'stop'; readonly reason: string };
