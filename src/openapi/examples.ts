import recorded from './examples.json';

interface Examples {
  /** contents of answers that went well, by what they are */
  readonly answers: Readonly<Record<string, unknown>>;
  /** of refusals, by code */
  readonly errors: Readonly<Record<string, unknown>>;
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * What the service has answered about the tracks in `samples/`. Nobody writes it by hand:
 * `UPDATE_EXAMPLES=1 npx jest tests/integration/openapi.test.ts` does, and the same suite checks that
 * the service still answers so.
 */
export const EXAMPLES: Examples = recorded;
