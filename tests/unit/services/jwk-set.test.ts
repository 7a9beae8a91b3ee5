import { generateKeyPairSync } from 'node:crypto';
import { isKid, parseKeySet } from '../../../src/services/jwk-set';
import { createIssuerKey } from '../../support/token-issuer';

const rsa = createIssuerKey('rsa-1', 'RS256').jwk;
const ec = createIssuerKey('ec-1', 'ES256').jwk;

/** What is left of a set of one key. */
function algorithmsOf(...keys: unknown[]): string[] {
  return parseKeySet({ keys }).map(({ algorithm }) => algorithm);
}

const without = (jwk: object, ...names: string[]): object =>
  Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)));

describe('parseKeySet()', () => {
  it('reads RSA and EC keys with their names', () => {
    const keys = parseKeySet({ keys: [rsa, ec] });
    expect(keys.map(({ kid, algorithm }) => [kid, algorithm])).toEqual([
      ['rsa-1', 'RS256'],
      ['ec-1', 'ES256'],
    ]);
    expect(keys[0]?.key.export({ format: 'jwk' })).toEqual({ kty: 'RSA', n: rsa.n, e: rsa.e });
  });

  it.each<[string, object, string | undefined]>([
    ['all that may be left out is', without(rsa, 'kid', 'use', 'alg'), 'RS256'],
    ['it is for verifying', { ...ec, key_ops: ['verify'] }, 'ES256'],
    ['it has members nobody knows', { ...ec, x5t: 'x', ext: true, nbf: 1 }, 'ES256'],
    ['it is for encryption', { ...rsa, use: 'enc' }, undefined],
    ['its use is nothing we know', { ...rsa, use: null }, undefined],
    ['it is for signing alone', { ...rsa, key_ops: ['sign'] }, undefined],
    ['it is for nothing', { ...rsa, key_ops: [] }, undefined],
    ['its operations are a string', { ...rsa, key_ops: 'verify' }, undefined],
    ['it is for PS256', { ...rsa, alg: 'PS256' }, undefined],
    ['it is for RSA-OAEP', { ...rsa, alg: 'RSA-OAEP' }, undefined],
    ['it is an EC key for RS256', { ...ec, alg: 'RS256' }, undefined],
    ['it is an RSA key for HS256', { ...rsa, alg: 'HS256' }, undefined],
    ['its alg is no string', { ...rsa, alg: ['RS256'] }, undefined],
    ['it is a secret', { kty: 'oct', k: 'A'.repeat(43), kid: 'a' }, undefined],
    ['it is Ed25519', { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) }, undefined],
    [
      'it is on P-384',
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' }),
      undefined,
    ],
    [
      'it is too short',
      generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' }),
      undefined,
    ],
    ['its exponent is 1', { ...rsa, e: 'AQ' }, undefined],
    ['it shows its private half', { ...ec, d: 'A'.repeat(43) }, undefined],
    ['it lacks its modulus', without(rsa, 'n'), undefined],
    ['its modulus is no string', { ...rsa, n: 7 }, undefined],
    ['its modulus is of 80,000 bits', { ...rsa, n: `x${'A'.repeat(13_000)}` }, undefined],
    ['its point is not on the curve', { ...ec, x: ec.y }, undefined],
    ['its curve is not named', without(ec, 'crv'), undefined],
    ['its kind is not named', without(rsa, 'kty'), undefined],
    ['its name is a path', { ...rsa, kid: '../../dev/null' }, undefined],
    ['its name is empty', { ...rsa, kid: '' }, undefined],
    ['its name is a number', { ...rsa, kid: 1 }, undefined],
    ['its name is null', { ...rsa, kid: null }, undefined],
  ])('of a key, when %s, makes %s', (_what, jwk, algorithm) => {
    expect(algorithmsOf(jwk)).toEqual(algorithm === undefined ? [] : [algorithm]);
    // whatever it is, the key beside it counts
    expect(algorithmsOf(jwk, ec).at(-1)).toBe('ES256');
  });

  it.each([null, 'x', 7, true, []])('leaves out %j in the place of a key', (member) => {
    expect(algorithmsOf(member, rsa)).toEqual(['RS256']);
  });

  it('takes the first 32', () => {
    const keys = Array.from({ length: 40 }, (_key, i) => ({ ...ec, kid: `key-${i}` }));
    expect(
      parseKeySet({ keys })
        .map(({ kid }) => kid)
        .at(-1),
    ).toBe('key-31');
  });

  it('takes an empty set for what it says', () => {
    expect(parseKeySet({ keys: [] })).toEqual([]);
  });

  it.each([null, undefined, 'keys', 7, [], {}, { keys: null }, { keys: {} }, { keys: 'x' }, rsa])(
    'throws for %j',
    (set) => {
      expect(() => parseKeySet(set)).toThrow('no JWK set');
    },
  );
});

describe('isKid()', () => {
  it.each([
    ...['a', 'A-z_0.9', 'x'.repeat(64)],
    // as AWS Cognito and others name theirs: base64, with its padding
    ...['PsGzNDoAyvf+xKzmMqRCWGXaKX/xCYgpVhjxSoL5lNo=', 'YQ==', '+/'],
  ])('%j may be a name', (kid) => {
    expect(isKid(kid)).toBe(true);
  });

  it.each([
    ...['', 'x'.repeat(65), 'x'.repeat(10_240), '../../dev/null', 'a b', "' OR 1=1", 'ключ'],
    ...['=', 'a=b', 'a===', 'x_y=', '/../a', 'a\n='],
    ...['http://127.0.0.1/', 'a\n', 'a\0', null, undefined, 1, ['a'], { toString: () => 'a' }],
  ])('%j may not', (kid) => {
    expect(isKid(kid)).toBe(false);
  });
});
