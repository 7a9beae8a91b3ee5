import {
  constants,
  createHmac,
  generateKeyPairSync,
  sign as signBytes,
  type KeyObject,
  type SignKeyObjectInput,
} from 'node:crypto';
import { sign } from 'jsonwebtoken';
import { AppError } from '../../../src/errors';
import { createPublicKeys, toTokenKey, type TokenKey } from '../../../src/services/token-keys';
import { createTokenVerifier, type TokenInspector } from '../../../src/services/token-verifier';

const NOW = 1_700_000_000;
const CLAIMS = { sub: 'listener', exp: NOW + 600 };

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherEc = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ec384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const ecK = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const ed = generateKeyPairSync('ed25519');

function keyOf(publicKey: KeyObject): TokenKey {
  const key = toTokenKey(publicKey);
  if (!key) throw new Error('not a key for tokens');
  return key;
}

function verifier(...keys: KeyObject[]): TokenInspector {
  return createTokenVerifier({
    keys: createPublicKeys(keys.map(keyOf)),
    issuer: undefined,
    audience: undefined,
    now: () => NOW,
  });
}

const verifiers = {
  RSA: verifier(rsa.publicKey),
  EC: verifier(ec.publicKey),
  both: verifier(rsa.publicKey, ec.publicKey),
};

function verdictOf(token: string, from: TokenInspector): string {
  try {
    return `accepted for ${from.inspect(token).principal.subject}`;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.code;
  }
}

function encode(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

function inputOf(header: object, claims: object = CLAIMS): string {
  return `${encode({ typ: 'JWT', ...header })}.${encode(claims)}`;
}

function signRaw(input: string, hash: string | null, key: KeyObject | SignKeyObjectInput): string {
  return signBytes(hash, Buffer.from(input), key).toString('base64url');
}

/** ECDSA in the form of JOSE. */
function jose(key: KeyObject): SignKeyObjectInput {
  return { key, dsaEncoding: 'ieee-p1363' };
}

function pss(key: KeyObject): SignKeyObjectInput {
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
}

const good = {
  RS256: sign(CLAIMS, rsa.privateKey, { algorithm: 'RS256' }),
  ES256: sign(CLAIMS, ec.privateKey, { algorithm: 'ES256' }),
};

/** Public parts of the keys in every form that somebody might take for a secret. */
function publicForms(): [string, string | Buffer][] {
  return Object.entries({ RSA: rsa.publicKey, EC: ec.publicKey }).flatMap(([name, key]) => {
    const pem = key.export({ type: 'spki', format: 'pem' }).toString();
    const der = key.export({ type: 'spki', format: 'der' });
    const jwk = key.export({ format: 'jwk' });
    const forms: [string, string | Buffer][] = [
      [`${name} PEM`, pem],
      [`${name} PEM without the last line end`, pem.trimEnd()],
      [`${name} PEM with CRLF`, pem.replace(/\n/g, '\r\n')],
      [`${name} PEM in one line`, pem.replace(/\n/g, '')],
      [`${name} PEM with written line ends`, pem.replace(/\n/g, '\\n')],
      [`${name} base64 of the PEM`, pem.replace(/-----[^-]+-----|\n/g, '')],
      [`${name} DER`, der],
      [`${name} JWK`, JSON.stringify(jwk)],
      [`${name} a number of the JWK`, Buffer.from(jwk.n ?? jwk.x ?? '', 'base64url')],
      [`${name} a number of the JWK as text`, jwk.n ?? jwk.x ?? ''],
    ];
    return forms;
  });
}

function forgedTokens(): [name: string, token: string][] {
  const forged: [string, string][] = [];
  const add = (name: string, token: string): void => void forged.push([name, token]);

  for (const alg of ['none', 'None', 'NONE', 'nOnE', ' none', 'none ', '', 'null']) {
    const input = inputOf({ alg });
    add(`alg ${JSON.stringify(alg)} without signature`, `${input}.`);
    add(`alg ${JSON.stringify(alg)} without its dot`, input);
    for (const [name, token] of Object.entries(good)) {
      add(
        `alg ${JSON.stringify(alg)} with a signature of ${name}`,
        `${input}.${token.split('.')[2]}`,
      );
    }
  }
  for (const bits of [256, 384, 512]) {
    for (const [name, secret] of publicForms()) {
      const input = inputOf({ alg: `HS${bits}` });
      const hmac = createHmac(`sha${bits}`, secret).update(input).digest('base64url');
      add(`HS${bits} with ${name}`, `${input}.${hmac}`);
    }
  }
  for (const alg of ['RS256', 'ES256']) {
    for (const [name, secret] of publicForms()) {
      const input = inputOf({ alg });
      add(
        `${alg} with an HMAC by ${name}`,
        `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`,
      );
    }
  }

  // signed by our issuer's own keys, with another algorithm than theirs: as it says, and disguised
  const ours: [string, string | null, KeyObject | SignKeyObjectInput][] = [
    ['RS384', 'sha384', rsa.privateKey],
    ['RS512', 'sha512', rsa.privateKey],
    ['RS1', 'sha1', rsa.privateKey],
    ['PS256', 'sha256', pss(rsa.privateKey)],
    ['PS384', 'sha384', pss(rsa.privateKey)],
    ['PS512', 'sha512', pss(rsa.privateKey)],
    ['ES384', 'sha384', jose(ec.privateKey)],
    ['ES512', 'sha512', jose(ec.privateKey)],
    ['ES256K', 'sha256', jose(ecK.privateKey)],
    ['EdDSA', null, ed.privateKey],
    ['ES384', 'sha384', jose(ec384.privateKey)],
  ];
  for (const [alg, hash, key] of ours) {
    add(`${alg} as it says`, `${inputOf({ alg })}.${signRaw(inputOf({ alg }), hash, key)}`);
    for (const disguise of ['RS256', 'ES256', 'HS256', alg.toLowerCase()]) {
      const input = inputOf({ alg: disguise, of: alg });
      add(`${alg} as ${disguise}`, `${input}.${signRaw(input, hash, key)}`);
    }
  }
  const strangers: [string, string, KeyObject | SignKeyObjectInput][] = [
    ['RS256 by another key', 'RS256', otherRsa.privateKey],
    ['ES256 by another key', 'ES256', jose(otherEc.privateKey)],
    ['RS256 by the EC key', 'RS256', jose(ec.privateKey)],
    ['ES256 by the RSA key', 'ES256', rsa.privateKey],
    ['ES256 in DER', 'ES256', ec.privateKey],
    ['rs256 in small letters', 'rs256', rsa.privateKey],
    ['es256 in small letters', 'es256', jose(ec.privateKey)],
    ['RS256 with a space', 'RS256 ', rsa.privateKey],
    ['RS256 with a zero byte', 'RS256\0', rsa.privateKey],
  ];
  for (const [name, alg, key] of strangers) {
    for (const header of [
      { alg },
      { alg, kid: 'key-1' },
      { alg, kid: '../../dev/null' },
      { alg, jku: 'http://127.0.0.1:9/keys' },
      { alg, x5u: 'http://127.0.0.1:9/cert' },
      { alg, jwk: otherRsa.publicKey.export({ format: 'jwk' }) },
      { alg, jwk: otherEc.publicKey.export({ format: 'jwk' }) },
      { alg, x5c: ['MIIB'] },
    ]) {
      const input = inputOf(header);
      add(
        `${name}, ${JSON.stringify(header).slice(0, 60)}`,
        `${input}.${signRaw(input, 'sha256', key)}`,
      );
    }
  }
  // CVE-2022-21449: r = s = 0, and its neighbours
  const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
  for (const half of ['00'.repeat(32), `${'00'.repeat(31)}01`, order, 'ff'.repeat(32)]) {
    for (const other of ['00'.repeat(32), `${'00'.repeat(31)}01`, order]) {
      const signature = Buffer.from(half + other, 'hex').toString('base64url');
      add(
        `ES256 of ${half.slice(-2)} and ${other.slice(-2)}`,
        `${inputOf({ alg: 'ES256' })}.${signature}`,
      );
    }
  }
  for (const bytes of [0, 1, 32, 63, 64, 65, 128, 255, 256, 257]) {
    for (const alg of ['RS256', 'ES256', 'HS256']) {
      for (const fill of [0, 255]) {
        const signature = Buffer.alloc(bytes, fill).toString('base64url');
        add(`${alg}, ${bytes} bytes of ${fill}`, `${inputOf({ alg, bytes, fill })}.${signature}`);
      }
    }
  }
  for (const [name, token] of Object.entries(good)) {
    const [header = '', payload = '', signature = ''] = token.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    add(`${name}, another subject`, `${header}.${encode({ ...CLAIMS, sub: 'x' })}.${signature}`);
    add(`${name}, another header`, `${encode({ alg: name })}.${payload}.${signature}`);
    for (const at of [0, 1, 31, 32, 33, bytes.length - 1]) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1;
      add(`${name}, byte ${at}`, `${header}.${payload}.${flipped.toString('base64url')}`);
    }
    for (const tail of ['=', '==', ' ', '\n', 'A', '.', '#']) add(`${name}, ${tail}`, token + tail);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet.indexOf(signature.at(-1) ?? '');
    // 4 of the last 6 bits belong to no byte
    for (const spare of [1, 7, 15]) {
      const same = signature.slice(0, -1) + alphabet.charAt(last ^ spare);
      add(`${name}, spare bits ${spare}`, `${header}.${payload}.${same}`);
    }
  }
  const criticals = [['exp'], ['b64'], [], 'exp', null];
  for (const crit of criticals) {
    const input = inputOf({ alg: 'RS256', crit });
    add(`crit ${JSON.stringify(crit)}`, `${input}.${signRaw(input, 'sha256', rsa.privateKey)}`);
  }
  for (const claims of [{}, { sub: 'a' }, { exp: NOW + 9 }, { sub: 'a', exp: NOW - 31 }, []]) {
    const input = inputOf({ alg: 'RS256' }, claims);
    add(JSON.stringify(claims), `${input}.${signRaw(input, 'sha256', rsa.privateKey)}`);
  }
  for (const text of [
    '',
    '.',
    '..',
    'a.b.c',
    'null',
    `${encode('null')}.e30.AA`,
    `${encode('[]')}.e30.AA`,
  ]) {
    add(`the text ${JSON.stringify(text)}`, text);
  }
  return forged;
}

describe('tokens signed by public key', () => {
  it.each([
    ['RS256', 'RSA', 'accepted for listener'],
    ['RS256', 'both', 'accepted for listener'],
    ['RS256', 'EC', 'invalid_token'],
    ['ES256', 'EC', 'accepted for listener'],
    ['ES256', 'both', 'accepted for listener'],
    ['ES256', 'RSA', 'invalid_token'],
  ] as const)('%s is verified with %s: %s', (algorithm, keys, verdict) => {
    expect(verdictOf(good[algorithm], verifiers[keys])).toBe(verdict);
  });

  it('are verified with any of several keys of their algorithm', () => {
    const several = verifier(otherRsa.publicKey, otherEc.publicKey, rsa.publicKey, ec.publicKey);
    expect(verdictOf(good.RS256, several)).toBe('accepted for listener');
    expect(verdictOf(good.ES256, several)).toBe('accepted for listener');
    expect(() =>
      several.inspect(sign({ sub: 'a', exp: NOW - 60 }, rsa.privateKey, { algorithm: 'RS256' })),
    ).toThrow('The token has expired');
  });

  it('have nothing to wait for where keys are configured', () => {
    expect(verifiers.both.prepare(good.RS256)).toBeUndefined();
  });

  describe('forged', () => {
    const forged = forgedTokens();

    it('are at least 200, no two alike', () => {
      expect(new Set(forged.map(([, token]) => token)).size).toBeGreaterThanOrEqual(200);
    });

    it.each(forged)('are refused: %s', (_name, token) => {
      for (const from of Object.values(verifiers)) {
        expect(verdictOf(token, from)).toBe('invalid_token');
      }
    });
  });
});

describe('toTokenKey()', () => {
  it.each<[string, KeyObject, string | undefined]>([
    ['RSA of 2,048 bits', rsa.publicKey, 'RS256'],
    ['EC on P-256', ec.publicKey, 'ES256'],
    ['RSA of 2,040 bits', generateKeyPairSync('rsa', { modulusLength: 2040 }).publicKey, undefined],
    ['RSA of 1,024 bits', generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, undefined],
    ['RSA-PSS', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey, undefined],
    ['EC on P-384', ec384.publicKey, undefined],
    ['secp256k1', ecK.publicKey, undefined],
    ['Ed25519', ed.publicKey, undefined],
    ['X25519', generateKeyPairSync('x25519').publicKey, undefined],
  ])('gives %s its only algorithm', (_name, key, algorithm) => {
    expect(toTokenKey(key)?.algorithm).toBe(algorithm);
  });
});
