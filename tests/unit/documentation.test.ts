import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { EXAMPLE_JWT_SECRET, parseConfig, VARIABLE_NAMES } from '../../src/config';

const ROOT = join(__dirname, '../..');
const SECRET = { JWT_SECRET: 'a-secret-for-tests-of-32-bytes-or-more' };

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

const example = parse(read('.env.example'));

/** Variables without a value of their own; for the secret none would be a good one. */
const WITHOUT_DEFAULT = [
  'HOST',
  'JWT_SECRET_PREVIOUS',
  'JWT_ISSUER',
  'JWT_AUDIENCE',
  'JWT_PUBLIC_KEY',
  'JWKS_URL',
  'JWT_REQUIRED_SCOPE',
  'LOG_FORMAT',
  'RATE_LIMIT_SEEK_MAX',
  'FFMPEG_PATH',
  'TRANSCODE_JOBS',
  'PLAYBACK_SECRET',
  'PLAYER_PAGE',
];

describe('.env.example', () => {
  it('names every variable that is read, once, in their order', () => {
    const lines = [...read('.env.example').matchAll(/^#?\s?([A-Z][A-Z0-9_]*)=/gm)];
    expect(lines.map(([, name]) => name)).toEqual(VARIABLE_NAMES);
    expect(Object.keys(example)).toEqual(VARIABLE_NAMES);
  });

  it.each(VARIABLE_NAMES.filter((name) => name !== 'JWT_SECRET'))(
    'shows the default of %s',
    (name) => {
      expect(parseConfig({ ...SECRET, [name]: example[name] })).toEqual(parseConfig(SECRET));
    },
  );

  it('leaves empty only what has no default', () => {
    expect(VARIABLE_NAMES.filter((name) => example[name] === '')).toEqual(WITHOUT_DEFAULT);
  });

  it('is a configuration as it stands, with the secret that production refuses', () => {
    expect(example.JWT_SECRET).toBe(EXAMPLE_JWT_SECRET);
    expect(parseConfig(example)).toEqual(parseConfig({ JWT_SECRET: EXAMPLE_JWT_SECRET }));
    expect(() => parseConfig({ ...example, NODE_ENV: 'production' })).toThrow();
  });

  it('says in a line above each variable what it means', () => {
    const lines = read('.env.example').split('\n');
    for (const name of VARIABLE_NAMES) {
      const at = lines.findIndex((line) => line.startsWith(`${name}=`));
      expect([name, lines[at - 1]]).toEqual([name, expect.stringMatching(/^# \S.*\.$/)]);
    }
  });
});

describe('README.md', () => {
  const rows = read('README.md')
    .split('\n')
    .filter((line) => /^\| `[A-Z][A-Z0-9_]*`/.test(line))
    .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));

  it('has every variable in its table, in the same order', () => {
    expect(rows.map(([, name]) => name)).toEqual(VARIABLE_NAMES.map((name) => `\`${name}\``));
    expect(rows.every((cells) => cells.length === 5)).toBe(true);
  });

  it('shows the same defaults', () => {
    const shown = rows.map(([, name, , value]) => [name, value]);
    expect(shown).toEqual(
      VARIABLE_NAMES.map((name) => {
        const value = name === 'JWT_SECRET' ? '' : (example[name] ?? '');
        return [`\`${name}\``, value === '' ? '' : `\`${value}\``];
      }),
    );
  });

  it('says of each what it means', () => {
    for (const [, name, meaning = ''] of rows) {
      expect([name, meaning.length > 5]).toEqual([name, true]);
    }
  });
});
