import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseEnvFile } from 'dotenv';
import { ConfigError, EXAMPLE_JWT_SECRET, parseConfig, type Config } from '../../src/config';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const SECRET = 'a-secret-for-tests-of-32-bytes-or-more';
const PLAYBACK_SECRET = 'another-secret-of-32-bytes-or-more-here';
const JWKS_URL = 'https://issuer.example/.well-known/jwks.json';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const RSA_PEM = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const EC_PEM = ec.publicKey.export({ type: 'spki', format: 'pem' }).toString();

function problemsOf(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}

function algorithmsOf(pem: string): string[] | undefined {
  const config = parseConfig({ JWT_PUBLIC_KEY: pem, PLAYBACK_SECRET });
  return config.jwtPublicKeys?.map(({ algorithm }) => algorithm);
}

const pemOf = ({ publicKey }: { publicKey: KeyObject }): string =>
  publicKey.export({ type: 'spki', format: 'pem' }).toString();

afterAll(removeTempFolders);

describe('the kind of key', () => {
  it.each<[string, Record<string, string>, Partial<Config>]>([
    ['JWT_SECRET', { JWT_SECRET: SECRET }, { jwtSecrets: [SECRET] }],
    ['JWKS_URL', { JWKS_URL, PLAYBACK_SECRET }, { jwtSecrets: [], jwksUrl: JWKS_URL }],
    ['JWT_PUBLIC_KEY', { JWT_PUBLIC_KEY: EC_PEM, PLAYBACK_SECRET }, { jwtSecrets: [] }],
    [
      'JWKS_URL, the others empty',
      { JWT_SECRET: '', JWT_PUBLIC_KEY: '', JWKS_URL, PLAYBACK_SECRET },
      { jwtSecrets: [], jwksUrl: JWKS_URL },
    ],
  ])('may be %s', (_name, env, expected) => {
    expect(parseConfig(env)).toMatchObject(expected);
  });

  it.each<[Record<string, string>, string[]]>([
    [{}, ['JWT_SECRET is required: a random string of at least 32 bytes']],
    [
      { JWT_SECRET_PREVIOUS: SECRET },
      ['JWT_SECRET is required: a random string of at least 32 bytes'],
    ],
    [
      { JWT_SECRET: SECRET, JWT_PUBLIC_KEY: EC_PEM },
      ['JWT_PUBLIC_KEY must not be set together with JWT_SECRET'],
    ],
    [{ JWT_SECRET: SECRET, JWKS_URL }, ['JWKS_URL must not be set together with JWT_SECRET']],
    [
      { JWT_PUBLIC_KEY: EC_PEM, JWKS_URL, PLAYBACK_SECRET },
      ['JWKS_URL must not be set together with JWT_PUBLIC_KEY'],
    ],
    [
      { JWT_SECRET: SECRET, JWT_PUBLIC_KEY: EC_PEM, JWKS_URL },
      [
        'JWT_PUBLIC_KEY must not be set together with JWT_SECRET',
        'JWKS_URL must not be set together with JWT_SECRET',
      ],
    ],
    [
      { JWT_SECRET_PREVIOUS: SECRET, JWKS_URL, PLAYBACK_SECRET },
      ['JWT_SECRET_PREVIOUS must not be set together with JWKS_URL'],
    ],
    [
      { JWKS_URL },
      ['PLAYBACK_SECRET is required with JWKS_URL: a random string of at least 32 bytes'],
    ],
    [
      { JWT_PUBLIC_KEY: EC_PEM },
      ['PLAYBACK_SECRET is required with JWT_PUBLIC_KEY: a random string of at least 32 bytes'],
    ],
    [
      { JWKS_URL, PLAYBACK_SECRET: 'x'.repeat(31) },
      ['PLAYBACK_SECRET must be at least 32 bytes long'],
    ],
    [
      { PORT: 'x', JWKS_URL: 'ftp://issuer.example', JWT_SECRET_PREVIOUS: SECRET },
      [
        'PORT must be a whole number from 0 to 65535',
        'JWT_SECRET_PREVIOUS must not be set together with JWKS_URL',
        'JWKS_URL must be an https:// URL, or http:// on loopback, without user name and password',
        'PLAYBACK_SECRET is required with JWKS_URL: a random string of at least 32 bytes',
      ],
    ],
  ])('is exactly one: %#', (env, problems) => {
    expect(problemsOf(env)).toEqual(problems);
  });

  it('does without the example secret in production', () => {
    const env = { NODE_ENV: 'production', JWKS_URL, PLAYBACK_SECRET: EXAMPLE_JWT_SECRET };
    expect(problemsOf(env)).toEqual([
      'PLAYBACK_SECRET must not be the example value in production',
    ]);
    expect(problemsOf({ ...env, NODE_ENV: 'development' })).toEqual([]);
  });
});

describe('JWT_PUBLIC_KEY', () => {
  it.each<[string, string, string[]]>([
    ['RSA', RSA_PEM, ['RS256']],
    ['EC', EC_PEM, ['ES256']],
    ['PKCS 1', rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString(), ['RS256']],
    ['written line ends', EC_PEM.replace(/\n/g, '\\n'), ['ES256']],
    ['written CRLF', EC_PEM.replace(/\n/g, '\\r\\n'), ['ES256']],
    ['CRLF', EC_PEM.replace(/\n/g, '\r\n'), ['ES256']],
    ['no line end behind', EC_PEM.trimEnd(), ['ES256']],
    ['text around', `the key of 2026\n${EC_PEM}the end\n`, ['ES256']],
    ['several', RSA_PEM + EC_PEM + EC_PEM, ['RS256', 'ES256', 'ES256']],
    ['several, written line ends', (RSA_PEM + EC_PEM).replace(/\n/g, '\\n'), ['RS256', 'ES256']],
    ['eight', EC_PEM.repeat(8), Array<string>(8).fill('ES256')],
  ])('may be PEM: %s', (_name, pem, algorithms) => {
    expect(algorithmsOf(pem)).toEqual(algorithms);
  });

  it('may be the path of a file', () => {
    const path = join(createTempFolder(), 'keys.pem');
    writeFileSync(path, RSA_PEM + EC_PEM);
    expect(algorithmsOf(path)).toEqual(['RS256', 'ES256']);
  });

  it.each(['"', "'", ''])('survives an env file in quotes of %j', (quote) => {
    const file = `JWT_PUBLIC_KEY=${quote}${EC_PEM.replace(/\n/g, '\\n')}${quote}\n`;
    expect(algorithmsOf(parseEnvFile(file).JWT_PUBLIC_KEY ?? '')).toEqual(['ES256']);
  });

  const unreadable = 'must be PEM, or the path of a PEM file that can be read';
  const broken = 'must be PEM with whole blocks, from BEGIN to END';
  const notPublic = 'must hold public keys alone, no private key and no certificate';
  const unfit = 'must hold RSA keys of 2048 to 8192 bits, or EC keys on P-256';
  const privatePem = ec.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  it.each<[string, string, string]>([
    ['a file that is missing', '/nowhere/key.pem', unreadable],
    ['a folder', '/', unreadable],
    ['a path no system takes', 'a\0b', unreadable],
    ['a file without PEM', join(__dirname, 'config.test.ts'), broken],
    ['a block without its end', EC_PEM.slice(0, -30), broken],
    ['a second block without its end', EC_PEM + EC_PEM.slice(0, -30), broken],
    ['a private key', privatePem, notPublic],
    ['a private key beside a public one', EC_PEM + privatePem, notPublic],
    [
      'a private key of PKCS 1',
      rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
      notPublic,
    ],
    ['a certificate', EC_PEM.replace(/PUBLIC KEY/g, 'CERTIFICATE'), notPublic],
    ['nonsense in a block', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', unfit],
    ['an empty block', '-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----', unfit],
    ['RSA of 1,024 bits', pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 })), unfit],
    ['P-384', pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' })), unfit],
    ['Ed25519', pemOf(generateKeyPairSync('ed25519')), unfit],
    ['a good key beside Ed25519', EC_PEM + pemOf(generateKeyPairSync('ed25519')), unfit],
    ['nine keys', EC_PEM.repeat(9), 'must hold at most 8 keys'],
  ])('is refused when it is %s', (_name, value, problem) => {
    const problems = problemsOf({ JWT_PUBLIC_KEY: value, PLAYBACK_SECRET });
    expect(problems).toEqual([`JWT_PUBLIC_KEY ${problem}`]);
  });
});

describe('JWKS_URL', () => {
  it.each([
    'https://issuer.example/keys',
    'https://issuer.example:8443/a/b?c=d',
    'http://127.0.0.1:8080/keys',
    'http://127.1.2.3/keys',
    'http://localhost/keys',
    'http://[::1]:8080/keys',
  ])('may be %s', (url) => {
    expect(problemsOf({ JWKS_URL: url, PLAYBACK_SECRET })).toEqual([]);
  });

  it.each([
    ...['http://issuer.example/keys', 'http://10.0.0.1/', 'http://169.254.169.254/latest', 'keys'],
    ...['http://localhost.evil.example/', 'http://127.0.0.1.evil.example/', 'http://0.0.0.0/'],
    ...[
      'file:///etc/keys.json',
      'data:application/json,{}',
      'ftp://issuer.example',
      'https://',
      ' ',
    ],
    ...[
      'https://user:password@issuer.example/',
      'https://user@issuer.example/',
      '//issuer.example',
    ],
    ...['http://127.0.0.1@issuer.example/', 'http://[::]/', 'http://[::ffff:10.0.0.1]/'],
  ])('is refused as %s', (url) => {
    expect(problemsOf({ JWKS_URL: url, PLAYBACK_SECRET })).toEqual([
      'JWKS_URL must be an https:// URL, or http:// on loopback, without user name and password',
    ]);
  });
});

describe('JWT_REQUIRED_SCOPE', () => {
  it.each(['stream:read', 'a', 'https://api.example/stream', '!', '~', 'x'.repeat(128)])(
    'may be %s',
    (scope) => {
      const env = { JWT_SECRET: SECRET, JWT_REQUIRED_SCOPE: scope };
      expect(parseConfig(env).jwtRequiredScope).toBe(scope);
    },
  );

  it.each(['a b', ' ', 'a"b', 'a\\b', 'a\n', 'a\tb', 'é', 'x'.repeat(129), 'a\x7f'])(
    'is refused as %j',
    (scope) => {
      const [problem, ...others] = problemsOf({ JWT_SECRET: SECRET, JWT_REQUIRED_SCOPE: scope });
      expect(problem).toMatch(/^JWT_REQUIRED_SCOPE must be one scope [^\n]+$/);
      expect(others).toEqual([]);
    },
  );
});
