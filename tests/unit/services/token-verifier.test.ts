import { createHmac, generateKeyPairSync, randomBytes, sign as signBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { type AddressInfo } from 'node:net';
import { sign } from 'jsonwebtoken';
import { AppError } from '../../../src/errors';
import { createSecretKeys } from '../../../src/services/token-keys';
import {
  createTokenVerifier,
  type TokenInspector,
  type TokenVerifierOptions,
} from '../../../src/services/token-verifier';

const SECRET = 'a-secret-for-tests-of-32-bytes-or-more';
const PREVIOUS = 'the-secret-before-it-of-32-bytes-or-more';
const NOW = 1_700_000_000;
const CLAIMS = { sub: 'listener', exp: NOW + 600 };

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');

function verifier({
  secrets = [SECRET],
  ...options
}: Partial<TokenVerifierOptions & { secrets: string[] }> = {}): TokenInspector {
  return createTokenVerifier({
    keys: createSecretKeys(secrets),
    issuer: undefined,
    audience: undefined,
    now: () => NOW,
    ...options,
  });
}

function encode(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

function hmac(input: string, secret: string | Buffer = SECRET, hash = 'sha256'): string {
  return createHmac(hash, secret).update(input).digest('base64url');
}

/** A token with this header and payload, signed properly for HS256, whatever the header says. */
function forge(header: unknown, payload: unknown, secret: string | Buffer = SECRET): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${hmac(input, secret)}`;
}

function signed(claims: unknown): string {
  return forge({ alg: 'HS256', typ: 'JWT' }, claims);
}

function verdictOf(token: string, from = verifier()): string {
  try {
    return `accepted for ${from.inspect(token).principal.subject}`;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.code;
  }
}

/** Tokens that must not be accepted, by what is wrong with them. */
function forgedTokens(): [name: string, token: string][] {
  const forged: [string, string][] = [];
  const add = (name: string, token: string): void => void forged.push([name, token]);
  const good = signed(CLAIMS);
  const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.');
  const goodBytes = Buffer.from(goodSignature, 'base64url');

  const nones = [
    'none',
    'None',
    'NONE',
    'nOnE',
    'none ',
    ' none',
    'none\0',
    '',
    'null',
    'nonexistent',
  ];
  for (const alg of nones) {
    const input = `${encode({ alg, typ: 'JWT' })}.${encode(CLAIMS)}`;
    add(`alg ${JSON.stringify(alg)} without signature`, `${input}.`);
    add(`alg ${JSON.stringify(alg)} without its dot`, input);
    add(`alg ${JSON.stringify(alg)} with an HMAC`, `${input}.${hmac(input)}`);
    add(`alg ${JSON.stringify(alg)} with the HMAC of nothing`, `${input}.${hmac('')}`);
    add(`alg ${JSON.stringify(alg)} with a good signature`, `${input}.${goodSignature}`);
  }

  const algorithms = [
    ...['HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
    ...['ES256', 'ES256K', 'ES384', 'ES512', 'EdDSA', 'HS1', 'HS257', 'A128KW', 'dir', 'RSA-OAEP'],
    ...['hs256', 'Hs256', 'HS256 ', ' HS256', 'HS256\0', 'HS-256', 'HMACSHA256', 'sha256'],
  ];
  for (const alg of algorithms) {
    add(`alg ${JSON.stringify(alg)} with an HMAC of 256 bits`, forge({ alg, typ: 'JWT' }, CLAIMS));
  }
  for (const alg of [null, 256, true, false, [], ['HS256'], {}, { HS256: 1 }, undefined]) {
    add(`alg ${JSON.stringify(alg)}`, forge({ alg, typ: 'JWT' }, CLAIMS));
  }
  for (const bits of [384, 512]) {
    const input = `${encode({ alg: `HS${bits}`, typ: 'JWT' })}.${encode(CLAIMS)}`;
    add(`HS${bits}, signed as it says`, `${input}.${hmac(input, SECRET, `sha${bits}`)}`);
  }

  const privates = { RS256: rsa, PS256: rsa, ES256: ec, EdDSA: ed };
  for (const [alg, { privateKey }] of Object.entries(privates)) {
    const input = `${encode({ alg, typ: 'JWT' })}.${encode(CLAIMS)}`;
    const hash = alg === 'EdDSA' ? null : 'sha256';
    const signature = signBytes(hash, Buffer.from(input), privateKey).toString('base64url');
    add(`${alg}, signed with a key of its own`, `${input}.${signature}`);
  }
  for (const length of [0, 32, 64, 128, 256]) {
    for (const alg of ['ES256', 'RS256', 'HS256']) {
      const input = `${encode({ alg, typ: 'JWT' })}.${encode(CLAIMS)}`;
      add(
        `${alg} with ${length} zero bytes`,
        `${input}.${Buffer.alloc(length).toString('base64url')}`,
      );
    }
  }

  const secrets: [string, string | Buffer][] = [
    ['another secret', 'another-secret-of-32-bytes-or-more-here'],
    ['an empty secret', ''],
    ['a zero byte', Buffer.alloc(1)],
    ['32 zero bytes', Buffer.alloc(32)],
    ['random bytes', randomBytes(32)],
    ['the secret in capitals', SECRET.toUpperCase()],
    ['the secret with a line end', `${SECRET}\n`],
    ['the secret with a space', `${SECRET} `],
    ['the secret cut short', SECRET.slice(0, -1)],
    ['the secret in base64', Buffer.from(SECRET).toString('base64')],
    ['the secret out of base64', Buffer.from(SECRET, 'base64')],
    ['the secret in hex', Buffer.from(SECRET).toString('hex')],
    ['the secret twice', SECRET + SECRET],
    ['"undefined"', 'undefined'],
    ['"null"', 'null'],
    ['"secret"', 'secret'],
    ['the example of the documentation', 'change-me-to-at-least-32-random-bytes'],
    ['a public key in PEM', rsa.publicKey.export({ type: 'spki', format: 'pem' })],
    ['a public key in PEM, PKCS 1', rsa.publicKey.export({ type: 'pkcs1', format: 'pem' })],
    ['a public key in DER', rsa.publicKey.export({ type: 'spki', format: 'der' })],
    ['a public key as JWK', JSON.stringify(rsa.publicKey.export({ format: 'jwk' }))],
    ['an EC public key in PEM', ec.publicKey.export({ type: 'spki', format: 'pem' })],
  ];
  for (const [name, secret] of secrets) {
    add(`HS256 with ${name}`, forge({ alg: 'HS256', typ: 'JWT' }, CLAIMS, secret));
    add(
      `HS256 with ${name} and a kid`,
      forge({ alg: 'HS256', kid: '../../dev/null' }, CLAIMS, secret),
    );
  }

  const otherPayload = encode({ ...CLAIMS, sub: 'someone-else' });
  add('payload changed', `${goodHeader}.${otherPayload}.${goodSignature}`);
  add('header changed', `${encode({ alg: 'HS256' })}.${goodPayload}.${goodSignature}`);
  add('header and payload exchanged', `${goodPayload}.${goodHeader}.${goodSignature}`);
  add('signature over the payload alone', `${goodHeader}.${goodPayload}.${hmac(goodPayload)}`);
  add('signature over the header alone', `${goodHeader}.${goodPayload}.${hmac(goodHeader)}`);
  add('no signature', `${goodHeader}.${goodPayload}.`);
  add('no signature, no dot', `${goodHeader}.${goodPayload}`);
  add('signature in hex', `${goodHeader}.${goodPayload}.${goodBytes.toString('hex')}`);
  for (let bit = 0; bit < 256; bit += 16) {
    const flipped = Buffer.from(goodBytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    add(
      `bit ${bit} of the signature`,
      `${goodHeader}.${goodPayload}.${flipped.toString('base64url')}`,
    );
  }
  for (const length of [1, 8, 16, 31]) {
    const cut = goodBytes.subarray(0, length).toString('base64url');
    add(`signature of ${length} bytes`, `${goodHeader}.${goodPayload}.${cut}`);
  }
  const longer = Buffer.concat([goodBytes, Buffer.alloc(1)]).toString('base64url');
  add('signature with a byte more', `${goodHeader}.${goodPayload}.${longer}`);

  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(goodSignature.at(-1) ?? '');
  for (const spare of [1, 2, 3]) {
    // the last two of the bits that 43 characters hold belong to no byte
    const same = goodSignature.slice(0, -1) + alphabet.charAt((last & ~3) | ((last + spare) & 3));
    add(`signature with other spare bits ${spare}`, `${goodHeader}.${goodPayload}.${same}`);
  }
  const around = [
    '=',
    '==',
    ' ',
    '\n',
    '\r\n',
    '\t',
    '\0',
    '.',
    '..',
    '.x',
    '%3D',
    '\u00a0',
    '#',
    '?',
  ];
  for (const text of around) {
    add(`${JSON.stringify(text)} behind`, good + text);
    add(`${JSON.stringify(text)} in front`, text + good);
    add(
      `${JSON.stringify(text)} behind the payload`,
      `${goodHeader}.${goodPayload}${text}.${goodSignature}`,
    );
    add(
      `${JSON.stringify(text)} behind the header`,
      `${goodHeader}${text}.${goodPayload}.${goodSignature}`,
    );
  }
  if (/[-_]/.test(goodSignature)) {
    const plain = goodSignature.replace(/-/g, '+').replace(/_/g, '/');
    add('signature in plain base64', `${goodHeader}.${goodPayload}.${plain}`);
  }
  add('signature in capitals', `${goodHeader}.${goodPayload}.${goodSignature.toUpperCase()}`);

  for (const text of [
    '',
    '.',
    '..',
    '...',
    'a',
    'a.b',
    'a.b.c',
    'null',
    '{}',
    '💥.💥.💥',
    'Bearer x',
  ]) {
    add(`${JSON.stringify(text)} for a token`, text);
  }
  add(
    'JSON serialisation',
    JSON.stringify({ protected: goodHeader, payload: goodPayload, signature: goodSignature }),
  );
  add('five parts, as if encrypted', `${good}.${goodPayload}.${goodSignature}`);

  for (const header of [
    '',
    'null',
    '[]',
    '"HS256"',
    '42',
    '{',
    '{"alg":"HS256"',
    'HS256',
    '{}',
    '\u0000',
  ]) {
    add(`header ${JSON.stringify(header)}`, forge(header, CLAIMS));
  }
  for (const payload of [
    '',
    'null',
    '[]',
    '[{"sub":"listener","exp":9999999999}]',
    '"listener"',
    '42',
    'true',
    '{',
    'listener',
    '\u0000',
  ]) {
    add(`payload ${JSON.stringify(payload)}`, forge({ alg: 'HS256' }, payload));
    add(`payload ${JSON.stringify(payload)} as JWT`, forge({ alg: 'HS256', typ: 'JWT' }, payload));
  }

  const criticals = [['exp'], ['b64'], ['x'], [], 'exp', null, true, {}, ['http://example.com/x']];
  for (const crit of criticals) {
    add(`crit ${JSON.stringify(crit)}`, forge({ alg: 'HS256', crit, x: 1 }, CLAIMS));
  }
  const unencoded = JSON.stringify(CLAIMS);
  const b64 = encode({ alg: 'HS256', b64: false, crit: ['b64'] });
  add('b64 false', forge({ alg: 'HS256', b64: false, crit: ['b64'] }, CLAIMS));
  add('b64 false, unencoded', `${b64}.${unencoded}.${hmac(`${b64}.${unencoded}`)}`);
  add('b64 false, detached', `${b64}..${hmac(`${b64}.${unencoded}`)}`);
  add('detached payload', `${goodHeader}..${goodSignature}`);

  for (const sub of [
    undefined,
    null,
    '',
    0,
    42,
    true,
    [],
    ['listener'],
    {},
    { id: 1 },
    'x'.repeat(129),
    'ж'.repeat(129),
  ]) {
    add(
      `sub ${sub === undefined ? 'absent' : JSON.stringify(sub).slice(0, 20)}`,
      signed({ ...CLAIMS, sub }),
    );
  }
  for (const exp of [
    undefined,
    null,
    '',
    String(NOW + 600),
    true,
    false,
    [],
    [NOW + 600],
    {},
    'never',
    '9999999999',
    0,
    -1,
    NOW - 31,
    NOW - 600,
    1e-9,
  ]) {
    add(`exp ${exp === undefined ? 'absent' : JSON.stringify(exp)}`, signed({ ...CLAIMS, exp }));
  }
  for (const nbf of [
    NOW + 31,
    NOW + 600,
    1e15,
    String(NOW - 600),
    '',
    null,
    true,
    [],
    {},
    [NOW - 600],
  ]) {
    add(`nbf ${JSON.stringify(nbf)}`, signed({ ...CLAIMS, nbf }));
  }
  add('claims in the prototype', signed('{"__proto__":{"sub":"listener","exp":9999999999}}'));
  add('claims one level down', signed({ payload: CLAIMS }));

  add('4,097 characters', `${good}${'x'.repeat(4_097 - good.length)}`);
  add('a megabyte', signed({ ...CLAIMS, x: 'x'.repeat(1_000_000) }));
  add('4,097 characters, signed', signedOfLength(4_097));
  add('deeply nested', signed(`{"sub":"a","exp":9999999999,"x":${'['.repeat(20_000)}`));
  return forged;
}

/** A token without fault of exactly so many characters. */
function signedOfLength(length: number): string {
  for (let filler = 0; filler < length; filler += 1) {
    const token = signed({ ...CLAIMS, x: 'x'.repeat(Math.max(0, length * 0.7 - 200 + filler)) });
    if (token.length === length) return token;
  }
  // base64url leaves out some lengths; a header of another length reaches them
  for (let filler = 0; filler < length; filler += 1) {
    const payload = { ...CLAIMS, x: 'x'.repeat(Math.max(0, length * 0.7 - 200 + filler)) };
    const token = forge({ alg: 'HS256', typ: 'JWT', k: '' }, payload);
    if (token.length === length) return token;
  }
  throw new Error(`no token of ${length} characters`);
}

describe('createTokenVerifier()', () => {
  it('accepts what the library signs, and what is signed by hand', () => {
    const token = sign({ sub: 'listener' }, SECRET, { algorithm: 'HS256', expiresIn: 600 });
    expect(verifier({ now: () => Date.now() / 1000 }).inspect(token).principal).toEqual({
      subject: 'listener',
    });
    expect(verifier().inspect(signed(CLAIMS)).principal).toEqual({ subject: 'listener' });
  });

  it('goes by the real clock unless told', () => {
    const real = createTokenVerifier({
      keys: createSecretKeys([SECRET]),
      issuer: undefined,
      audience: undefined,
    });
    const seconds = Math.floor(Date.now() / 1000);
    expect(verdictOf(signed({ sub: 'a', exp: seconds + 60 }), real)).toBe('accepted for a');
    expect(verdictOf(signed({ sub: 'a', exp: seconds - 60 }), real)).toBe('invalid_token');
  });

  describe('forged tokens', () => {
    const forged = forgedTokens();

    it('are at least 200, no two alike', () => {
      expect(new Set(forged.map(([, token]) => token)).size).toBeGreaterThanOrEqual(200);
    });

    it.each(forged)('are refused: %s', (_name, token) => {
      expect(verdictOf(token)).toBe('invalid_token');
      const both = verifier({ secrets: [SECRET, PREVIOUS] });
      expect(verdictOf(token, both)).toBe('invalid_token');
    });

    it('tell in the message nothing of the token, the secret or the library', () => {
      for (const [, token] of forged) {
        try {
          verifier().inspect(token);
        } catch (error) {
          const { message } = error as AppError;
          expect(message).toMatch(/^The token [a-z0-9 ]+$/);
          expect(message).not.toContain(SECRET);
        }
      }
    });
  });

  it.each([
    ['typ in any case', { alg: 'HS256', typ: 'jwt' }],
    ['no typ', { alg: 'HS256' }],
    ['at+jwt', { alg: 'HS256', typ: 'at+jwt' }],
    ['an unknown field', { alg: 'HS256', x: 'y' }],
    ['a kid', { alg: 'HS256', kid: 'key-1' }],
    ['a kid that is a path', { alg: 'HS256', kid: '../../../dev/null' }],
    ['a kid that is a query', { alg: 'HS256', kid: "' UNION SELECT 'x" }],
    ['a kid of many bytes', { alg: 'HS256', kid: 'k'.repeat(2_000) }],
    ['a kid that is no string', { alg: 'HS256', kid: { a: [1] } }],
    ['a jwk', { alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } }],
    ['an x5c', { alg: 'HS256', x5c: ['MIIB'] }],
  ])('accepts, with a good signature, a header with %s', (_what, header) => {
    expect(verdictOf(forge(header, CLAIMS))).toBe('accepted for listener');
  });

  it('follows no address in a header (RFC 8725 §3.10)', async () => {
    let connections = 0;
    const trap = createServer().on('connection', () => (connections += 1));
    trap.listen(0, '127.0.0.1');
    await once(trap, 'listening');
    const url = `http://127.0.0.1:${(trap.address() as AddressInfo).port}/keys`;
    const header = { alg: 'HS256', jku: url, x5u: url, kid: url, jwk: { kty: 'oct', k: 'AAAA' } };

    expect(verdictOf(forge(header, CLAIMS))).toBe('accepted for listener');
    expect(verdictOf(forge(header, CLAIMS, 'the-key-that-waits-at-the-address'))).toBe(
      'invalid_token',
    );
    expect(verdictOf(forge(header, CLAIMS, Buffer.alloc(3)))).toBe('invalid_token');
    // a connection that was begun would be there before one that is begun now
    const { host } = new URL(url);
    await fetch(`http://${host}/`, { signal: AbortSignal.timeout(200) }).catch(() => undefined);
    expect(connections).toBe(1);
    trap.close();
    trap.closeAllConnections();
    await once(trap, 'close');
  });

  describe('subject', () => {
    it.each([
      'a',
      'x'.repeat(128),
      'ж'.repeat(128),
      'a b',
      '0',
      'auth0|123',
      'e@example.com',
      '🎵',
    ])('may be %j', (sub) => {
      expect(verifier().inspect(signed({ ...CLAIMS, sub })).principal).toEqual({ subject: sub });
    });
  });

  describe('times, with 30 s of tolerance', () => {
    it.each([
      ['exp', NOW + 1, 'accepted for listener'],
      ['exp', NOW, 'accepted for listener'],
      ['exp', NOW - 29, 'accepted for listener'],
      ['exp', NOW - 29.5, 'accepted for listener'],
      ['exp', NOW - 31, 'invalid_token'],
      ['exp', NOW - 3_600, 'invalid_token'],
      ['nbf', NOW - 600, 'accepted for listener'],
      ['nbf', NOW, 'accepted for listener'],
      ['nbf', NOW + 29, 'accepted for listener'],
      ['nbf', NOW + 31, 'invalid_token'],
      ['nbf', NOW + 3_600, 'invalid_token'],
      ['iat', NOW + 3_600, 'accepted for listener'],
      ['iat', NOW - 3_600_000, 'accepted for listener'],
    ])('%s of %d is %s', (claim, at, verdict) => {
      expect(verdictOf(signed({ ...CLAIMS, [claim]: at }))).toBe(verdict);
    });

    it('follow the clock', () => {
      let now = NOW;
      const from = verifier({ now: () => now });
      const token = signed({ ...CLAIMS, nbf: NOW + 100, exp: NOW + 200 });
      const verdicts = [69, 71, 200, 229, 231].map((seconds) => {
        now = NOW + seconds;
        return verdictOf(token, from) === 'accepted for listener';
      });
      expect(verdicts).toEqual([false, true, true, true, false]);
    });

    it.each([
      [{ exp: NOW - 60 }, 'The token has expired'],
      [{ nbf: NOW + 60 }, 'The token is not valid yet'],
      [{ exp: undefined }, 'The token has no expiry'],
    ])('that are wrong are named: %j', (claims, message) => {
      expect(() => verifier().inspect(signed({ ...CLAIMS, ...claims }))).toThrow(message);
    });
  });

  describe('issuer and audience', () => {
    const issuer = 'https://issuer.example';
    const audience = 'streaming';
    it.each<[object, object, boolean]>([
      // what is not configured is not asked for
      [{}, {}, true],
      [{}, { iss: 'anyone', aud: 'anything' }, true],
      [{}, { aud: ['a', 'b'] }, true],
      [{ issuer }, { iss: issuer }, true],
      [{ issuer }, {}, false],
      [{ issuer }, { iss: 'https://issuer.example/' }, false],
      [{ issuer }, { iss: 'https://ISSUER.example' }, false],
      [{ issuer }, { iss: `${issuer}.evil` }, false],
      [{ issuer }, { iss: '' }, false],
      [{ issuer }, { iss: null }, false],
      [{ issuer }, { iss: [issuer] }, false],
      [{ issuer }, { iss: [issuer, 'x'] }, false],
      [{ issuer }, { iss: { 0: issuer } }, false],
      [{ audience }, { aud: audience }, true],
      [{ audience }, { aud: [audience] }, true],
      [{ audience }, { aud: ['other', audience] }, true],
      [{ audience }, {}, false],
      [{ audience }, { aud: 'other' }, false],
      [{ audience }, { aud: [] }, false],
      [{ audience }, { aud: ['other'] }, false],
      [{ audience }, { aud: 'streaming2' }, false],
      [{ audience }, { aud: 'Streaming' }, false],
      [{ audience }, { aud: 'a streaming b' }, false],
      [{ audience }, { aud: null }, false],
      [{ audience }, { aud: { streaming: true } }, false],
      [{ audience }, { aud: [[audience]] }, false],
      [{ audience: 's.*' }, { aud: audience }, false],
      [{ issuer, audience }, { iss: issuer, aud: audience }, true],
      [{ issuer, audience }, { iss: issuer }, false],
      [{ issuer, audience }, { aud: audience }, false],
      [{ issuer, audience }, { iss: audience, aud: issuer }, false],
    ])('%j and a token of %j: %s', (options, claims, isAccepted) => {
      expect(verdictOf(signed({ ...CLAIMS, ...claims }), verifier(options))).toBe(
        isAccepted ? 'accepted for listener' : 'invalid_token',
      );
    });
  });

  describe('length', () => {
    it('may be 4,096 characters and not one more', () => {
      expect(verdictOf(signedOfLength(4_096))).toBe('accepted for listener');
      expect(verdictOf(signedOfLength(4_097))).toBe('invalid_token');
    });
  });

  describe('two secrets', () => {
    const both = verifier({ secrets: [SECRET, PREVIOUS] });
    const header = { alg: 'HS256', typ: 'JWT' };

    it.each([
      ['the current one', SECRET, 'accepted for listener'],
      ['the previous one', PREVIOUS, 'accepted for listener'],
      ['neither', 'a-third-secret-of-32-bytes-or-more-here', 'invalid_token'],
    ])('verify a token of %s', (_which, secret, verdict) => {
      expect(verdictOf(forge(header, CLAIMS, secret), both)).toBe(verdict);
    });

    it('refuse the previous one when it is no longer configured', () => {
      expect(verdictOf(forge(header, CLAIMS, PREVIOUS))).toBe('invalid_token');
    });

    it.each([SECRET, PREVIOUS])('hold a token to its times whichever signed it', (secret) => {
      const expired = forge(header, { ...CLAIMS, exp: NOW - 60 }, secret);
      expect(() => both.inspect(expired)).toThrow('The token has expired');
      const early = forge(header, { ...CLAIMS, nbf: NOW + 60 }, secret);
      expect(() => both.inspect(early)).toThrow('The token is not valid yet');
    });
  });

  it.each([
    ['text that looks like a public key', rsa.publicKey.export({ type: 'spki', format: 'pem' })],
    ['text that looks like a private key', rsa.privateKey.export({ type: 'pkcs8', format: 'pem' })],
    ['text that is JSON', JSON.stringify({ kty: 'oct', k: 'x'.repeat(40) })],
    ['text beyond ASCII', 'пароль-из-тридцати-двух-байт-и-больше'],
    ['text with white space around it', `  ${SECRET}\n`],
  ])('takes a secret as the bytes it is: %s', (_what, secret) => {
    const text = secret.toString();
    const from = verifier({ secrets: [text] });
    expect(verdictOf(forge({ alg: 'HS256' }, CLAIMS, text), from)).toBe('accepted for listener');
    expect(verdictOf(forge({ alg: 'HS256' }, CLAIMS, text.trim() + 'x'), from)).toBe(
      'invalid_token',
    );
  });
});
