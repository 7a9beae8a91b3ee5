import { sign } from 'jsonwebtoken';
import { AppError } from '../../../src/errors';
import { createRememberedTokens } from '../../../src/services/remembered-tokens';
import { createSecretKeys } from '../../../src/services/token-keys';
import { createTokenVerifier, type TokenInspector } from '../../../src/services/token-verifier';
import { TEST_SECRET } from '../../support/sign-token';

const NOW = 1_700_000_000;
const TOLERANCE_SECONDS = 30;
const MAX_TOKENS = 10_000;

function tokenOf(sub: string, exp: number): string {
  return sign({ sub, exp, iat: NOW }, TEST_SECRET, { algorithm: 'HS256' });
}

/** The real verifier on a clock of the test; counts what it is asked. */
function create() {
  const clock = { now: NOW };
  const now = (): number => clock.now;
  const verifier = createTokenVerifier({
    keys: createSecretKeys([TEST_SECRET]),
    issuer: undefined,
    audience: undefined,
    now,
  });
  const inspected: string[] = [];
  const counting: TokenInspector = {
    ...verifier,
    inspect(token) {
      inspected.push(token);
      return verifier.inspect(token);
    },
  };
  return { clock, inspected, tokens: createRememberedTokens(counting, now) };
}

describe('createRememberedTokens()', () => {
  it('verifies a token once, and knows it from then on', () => {
    const { tokens, inspected } = create();
    const token = tokenOf('anna', NOW + 60);
    expect(tokens.recall(token)).toBeUndefined();
    for (let i = 0; i < 5; i += 1) expect(tokens.verify(token)).toEqual({ subject: 'anna' });
    expect(tokens.recall(token)).toEqual({ subject: 'anna' });
    expect(inspected).toEqual([token]);
  });

  it('knows a token no longer than the verifier would accept it, to the second', () => {
    const { clock, tokens } = create();
    const token = tokenOf('anna', NOW + 60);
    void tokens.verify(token);
    clock.now = NOW + 60 + TOLERANCE_SECONDS - 0.001;
    expect(tokens.recall(token)).toEqual({ subject: 'anna' });
    expect(tokens.verify(token)).toEqual({ subject: 'anna' });
    clock.now = NOW + 60 + TOLERANCE_SECONDS;
    expect(tokens.recall(token)).toBeUndefined();
    expect(() => tokens.verify(token)).toThrow('The token has expired');
  });

  it('agrees with the verifier at every second around the expiry', () => {
    const exp = NOW + 60;
    for (let second = exp - 2; second < exp + TOLERANCE_SECONDS + 3; second += 0.5) {
      const fresh = create();
      const known = create();
      const token = tokenOf('anna', exp);
      void known.tokens.verify(token);
      fresh.clock.now = known.clock.now = second;
      const isAccepted = ({ tokens }: ReturnType<typeof create>): boolean => {
        try {
          const verdict = tokens.verify(token);
          return 'subject' in verdict && verdict.subject === 'anna';
        } catch {
          return false;
        }
      };
      expect([second, isAccepted(known)]).toEqual([second, isAccepted(fresh)]);
    }
  });

  it('keeps the expiry of each token of a subject apart', () => {
    const { clock, tokens, inspected } = create();
    const [early, late] = [tokenOf('anna', NOW + 10), tokenOf('anna', NOW + 1_000)];
    void tokens.verify(early);
    void tokens.verify(late);
    clock.now = NOW + 10 + TOLERANCE_SECONDS;
    expect(tokens.recall(early)).toBeUndefined();
    expect(tokens.recall(late)).toEqual({ subject: 'anna' });
    expect(inspected).toEqual([early, late]);
  });

  it('never takes one token for another', () => {
    const { tokens } = create();
    const [anna, ben] = [tokenOf('anna', NOW + 60), tokenOf('ben', NOW + 60)];
    void tokens.verify(anna);
    void tokens.verify(ben);
    expect(tokens.recall(anna)).toEqual({ subject: 'anna' });
    expect(tokens.recall(ben)).toEqual({ subject: 'ben' });
    // payload of one, signature of the other
    const forged = [...anna.split('.').slice(0, 2), ben.split('.')[2]].join('.');
    for (const other of [forged, `${anna} `, anna.slice(0, -1), anna.toLowerCase(), '']) {
      expect(tokens.recall(other)).toBeUndefined();
      expect(() => tokens.verify(other)).toThrow(AppError);
    }
  });

  it.each([
    ['expired', () => tokenOf('anna', NOW - 60)],
    ['signed by somebody else', () => `${tokenOf('anna', NOW + 60)}x`],
    ['not a token', () => 'rubbish'],
    ['without a subject', () => tokenOf('', NOW + 60)],
  ])('asks again each time about what is %s', (_name, createToken) => {
    const { tokens, inspected } = create();
    const token = createToken();
    for (let i = 0; i < 3; i += 1) {
      expect(() => tokens.verify(token)).toThrow(AppError);
      expect(tokens.recall(token)).toBeUndefined();
    }
    expect(inspected).toHaveLength(3);
  });

  it('accepts a token that was not valid yet when it was first shown', () => {
    const { clock, tokens } = create();
    const token = sign({ sub: 'anna', nbf: NOW + 100, exp: NOW + 500 }, TEST_SECRET);
    expect(() => tokens.verify(token)).toThrow('not valid yet');
    clock.now = NOW + 100;
    expect(tokens.verify(token)).toEqual({ subject: 'anna' });
  });

  it(`knows ${MAX_TOKENS} tokens at most, and forgets the longest unused`, () => {
    const inspected: string[] = [];
    const tokens = createRememberedTokens(
      {
        prepare: () => undefined,
        inspect(token) {
          inspected.push(token);
          return { principal: { subject: token }, refusedAtSeconds: NOW + 60 };
        },
      },
      () => NOW,
    );
    for (let i = 0; i < MAX_TOKENS; i += 1) void tokens.verify(`token-${i}`);
    expect(tokens.recall('token-0')).toBeDefined(); // used now
    void tokens.verify('one more');
    expect(tokens.recall('token-1')).toBeUndefined();
    expect(tokens.recall('token-0')).toBeDefined();
    expect(tokens.recall(`token-${MAX_TOKENS - 1}`)).toBeDefined();
    void tokens.verify('token-1');
    expect(inspected).toHaveLength(MAX_TOKENS + 2);
  });

  it('knows no token any more when it is told to forget', () => {
    const { tokens, inspected } = create();
    const token = tokenOf('anna', NOW + 60);
    void tokens.verify(token);
    tokens.forget();
    expect(tokens.recall(token)).toBeUndefined();
    expect(tokens.verify(token)).toEqual({ subject: 'anna' });
    expect(inspected).toHaveLength(2);
  });

  it('verifies a token whose key is fetched when that is over, and gives no promise after that', async () => {
    let resolve: () => void = () => undefined;
    const promise = new Promise<void>((settle) => (resolve = settle));
    const inspected: string[] = [];
    const tokens = createRememberedTokens({
      prepare: () => promise,
      inspect(token) {
        inspected.push(token);
        return { principal: { subject: token }, refusedAtSeconds: Infinity };
      },
    });
    const waiting = [tokens.verify('anna'), tokens.verify('ben')];
    expect([inspected, tokens.recall('anna')]).toEqual([[], undefined]);
    resolve();
    expect([await waiting[0], await waiting[1]]).toEqual([{ subject: 'anna' }, { subject: 'ben' }]);
    expect(tokens.verify('anna')).toEqual({ subject: 'anna' });
    expect(inspected).toEqual(['anna', 'ben']);
  });

  it('knows fewer tokens when they name many tracks', () => {
    const tokens = createRememberedTokens({
      prepare: () => undefined,
      inspect: (token) => ({
        principal: { subject: token },
        refusedAtSeconds: Infinity,
        trackCount: 199,
      }),
    });
    for (let i = 0; i < 1_000; i += 1) void tokens.verify(`token-${i}`);
    const known = Array.from({ length: 1_000 }, (_token, i) => tokens.recall(`token-${i}`));
    // 110,000 in all, and each takes one more for itself
    expect(known.filter(Boolean)).toHaveLength(550);
    expect(known.at(-1)).toBeDefined();
  });
});
