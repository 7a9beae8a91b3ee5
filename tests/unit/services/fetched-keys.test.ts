import { AppError } from '../../../src/errors';
import { type Logger } from '../../../src/observability/logger';
import { createFetchedKeys, type FetchedKeys } from '../../../src/services/fetched-keys';
import { createIssuerKey, type IssuerKey } from '../../support/token-issuer';

const COOL_DOWN_MS = 30_000;
const REFRESH_MS = 300_000;
const DAY_MS = 86_400_000;

const [first, second, third] = ['first', 'second', 'third'].map((kid) => createIssuerKey(kid)) as [
  IssuerKey,
  IssuerKey,
  IssuerKey,
];
const rsa = createIssuerKey('rsa', 'RS256');
const unnamed = (key: IssuerKey): object => ({ ...key.jwk, kid: undefined });

/** Keys of an issuer who answers what the test says, on the clock of the test. */
function create(answer: readonly object[] | Error | 'never' = [first.jwk]) {
  const issuer = { answer, fetches: 0 };
  const lines: string[] = [];
  let removals = 0;
  const log = (line: string): void => void lines.push(line);
  const keys = createFetchedKeys({
    fetchKeySet: () => {
      issuer.fetches += 1;
      if (issuer.answer === 'never') return new Promise(() => undefined);
      return issuer.answer instanceof Error
        ? Promise.reject(issuer.answer)
        : Promise.resolve({ keys: issuer.answer });
    },
    logger: { info: log, warn: log } as unknown as Logger,
    onRemoval: () => (removals += 1),
    now: Date.now,
  });
  open.push(keys);
  return { issuer, keys, lines, removals: () => removals };
}

const open: FetchedKeys[] = [];

/** What becomes of a token: the names of the keys to try, or the code of the error. */
async function tryToken(keys: FetchedKeys, token: string): Promise<unknown> {
  await keys.prepare(token);
  try {
    return keys.candidates(token).map(({ kid }) => kid);
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

beforeEach(() => {
  jest.useFakeTimers({ now: 1_700_000_000_000 });
});

afterEach(() => {
  for (const keys of open.splice(0)) keys.close();
  jest.useRealTimers();
});

describe('createFetchedKeys()', () => {
  it('fetches at once, and a token waits for that', async () => {
    const { keys, issuer } = create([first.jwk, second.jwk]);
    expect(issuer.fetches).toBe(1);
    expect(await tryToken(keys, second.sign())).toEqual(['second']);
    expect(issuer.fetches).toBe(1);
  });

  it('has nothing to wait for where the key is known', async () => {
    const { keys } = create();
    await tryToken(keys, first.sign());
    expect(keys.prepare(first.sign())).toBeUndefined();
  });

  it('says that keys are not there, rather than that a token is wrong', async () => {
    const { keys, issuer } = create(new Error('connection refused'));
    expect(await tryToken(keys, first.sign())).toBe('keys_unavailable');
    issuer.answer = [first.jwk];
    // asked again by itself after the cool-down
    await jest.advanceTimersByTimeAsync(COOL_DOWN_MS);
    expect(await tryToken(keys, first.sign())).toEqual(['first']);
  });

  it('asks once in 30 s, whatever arrives', async () => {
    const { keys, issuer } = create();
    await tryToken(keys, first.sign());
    await jest.advanceTimersByTimeAsync(COOL_DOWN_MS);
    const tokens = Array.from({ length: 1_000 }, (_token, i) => second.sign({}, { kid: `k${i}` }));
    const verdicts = await Promise.all(tokens.map((token) => tryToken(keys, token)));
    expect(verdicts.every((verdict) => Array.isArray(verdict) && verdict.length === 0)).toBe(true);
    expect(issuer.fetches).toBe(2);
    await jest.advanceTimersByTimeAsync(COOL_DOWN_MS - 1);
    await tryToken(keys, second.sign());
    expect(issuer.fetches).toBe(2);
    await jest.advanceTimersByTimeAsync(1);
    await tryToken(keys, second.sign());
    expect(issuer.fetches).toBe(3);
  });

  it('learns a new key by the first token that names it', async () => {
    const { keys, issuer, removals } = create();
    await tryToken(keys, first.sign());
    issuer.answer = [first.jwk, second.jwk];
    await jest.advanceTimersByTimeAsync(COOL_DOWN_MS);
    expect(await tryToken(keys, second.sign())).toEqual(['second']);
    expect(await tryToken(keys, first.sign())).toEqual(['first']);
    expect(removals()).toBe(0);
  });

  it('notices by itself that a key is gone, and tells', async () => {
    const { keys, issuer, removals } = create([first.jwk, second.jwk]);
    await tryToken(keys, first.sign());
    issuer.answer = [second.jwk];
    await jest.advanceTimersByTimeAsync(REFRESH_MS - 1_000);
    expect([await tryToken(keys, first.sign()), removals()]).toEqual([['first'], 0]);
    await jest.advanceTimersByTimeAsync(1_000);
    expect([await tryToken(keys, first.sign()), removals()]).toEqual([[], 1]);
    expect(issuer.fetches).toBe(2);
  });

  it('takes another key of the same name for another key', async () => {
    const { keys, issuer, removals } = create();
    await tryToken(keys, first.sign());
    issuer.answer = [{ ...second.jwk, kid: 'first' }];
    await jest.advanceTimersByTimeAsync(REFRESH_MS);
    expect(removals()).toBe(1);
  });

  it('keeps its keys while the issuer is away, for a day', async () => {
    const { keys, issuer, removals, lines } = create();
    await tryToken(keys, first.sign());
    issuer.answer = new Error('away');
    await jest.advanceTimersByTimeAsync(DAY_MS);
    expect([await tryToken(keys, first.sign()), removals()]).toEqual([['first'], 0]);
    // whoever has a newer key is not told that the token is wrong
    expect(await tryToken(keys, second.sign())).toBe('keys_unavailable');
    await jest.advanceTimersByTimeAsync(REFRESH_MS);
    expect([await tryToken(keys, first.sign()), removals()]).toEqual(['keys_unavailable', 1]);
    expect(lines.filter((line) => line.includes('cannot be fetched'))).toHaveLength(1);
  });

  it('asks an issuer who is away every 30 s', async () => {
    const { issuer } = create(new Error('away'));
    await jest.advanceTimersByTimeAsync(10 * COOL_DOWN_MS);
    expect(issuer.fetches).toBe(11);
  });

  it('takes an answer that is no set for an issuer who is away, an empty set for what it says', async () => {
    const { keys, issuer } = create();
    await tryToken(keys, first.sign());
    issuer.answer = 'nonsense' as never;
    await jest.advanceTimersByTimeAsync(REFRESH_MS);
    expect(await tryToken(keys, first.sign())).toEqual(['first']);
    issuer.answer = [];
    await jest.advanceTimersByTimeAsync(COOL_DOWN_MS);
    expect(await tryToken(keys, first.sign())).toEqual([]);
  });

  it('asks one question at a time', async () => {
    const { keys, issuer } = create('never');
    await jest.advanceTimersByTimeAsync(10 * COOL_DOWN_MS);
    const waiting = keys.prepare(first.sign());
    expect(keys.prepare(second.sign())).toBe(waiting);
    expect(issuer.fetches).toBe(1);
  });

  it('asks again when the clock was set back', async () => {
    const { keys, issuer } = create();
    await tryToken(keys, first.sign());
    jest.setSystemTime(Date.now() - DAY_MS);
    await tryToken(keys, second.sign());
    expect(issuer.fetches).toBe(2);
  });

  it('asks nothing more when it is closed', async () => {
    const { keys, issuer } = create();
    await tryToken(keys, first.sign());
    keys.close();
    await jest.advanceTimersByTimeAsync(DAY_MS);
    expect(issuer.fetches).toBe(1);
  });

  describe('which key', () => {
    it.each<[string, readonly object[], string, unknown]>([
      ['a name that is known', [first.jwk, second.jwk], first.sign(), ['first']],
      ['no name, one key', [unnamed(first)], first.sign({}, { kid: undefined }), [undefined]],
      ['no name, one key that has one', [first.jwk], first.sign({}, { kid: undefined }), ['first']],
      [
        'no name, one key of the algorithm',
        [first.jwk, rsa.jwk],
        rsa.sign({}, { kid: undefined }),
        ['rsa'],
      ],
      ['no name, two keys', [first.jwk, second.jwk], first.sign({}, { kid: undefined }), []],
      ['a name, a key without one', [unnamed(first)], first.sign(), []],
      ['the name of a key of another algorithm', [first.jwk], rsa.sign({}, { kid: 'first' }), []],
      ['the name in other letters', [first.jwk], first.sign({}, { kid: 'FIRST' }), []],
    ])('%s', async (_name, set, token, expected) => {
      expect(await tryToken(create(set).keys, token)).toEqual(expected);
    });

    it.each([
      ...[
        '../../dev/null',
        'x'.repeat(10_240),
        "' UNION SELECT 'x",
        'http://127.0.0.1/',
        '',
        'a b',
      ],
      ...[null, 7, ['first'], { first: 1 }, true],
    ])('is not asked for by the name %j, which no key may have', async (kid) => {
      const { keys, issuer } = create();
      await tryToken(keys, first.sign());
      await jest.advanceTimersByTimeAsync(COOL_DOWN_MS);
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid })).toString('base64url');
      expect(await tryToken(keys, `${header}.e30.AA`)).toEqual([]);
      expect(issuer.fetches).toBe(1);
    });

    it.each(['HS256', 'none', 'PS256', 'ES384', 'EdDSA', 'rs256', null, 7])(
      'is not asked for by a token of the algorithm %j',
      async (alg) => {
        const { keys, issuer } = create([]);
        await tryToken(keys, third.sign());
        await jest.advanceTimersByTimeAsync(COOL_DOWN_MS);
        const header = Buffer.from(JSON.stringify({ alg, kid: 'k' })).toString('base64url');
        expect(await tryToken(keys, `${header}.e30.AA`)).toEqual([]);
        expect(issuer.fetches).toBe(1);
      },
    );
  });
});
