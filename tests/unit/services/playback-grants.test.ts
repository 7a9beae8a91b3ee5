import { createHmac, hkdfSync } from 'node:crypto';
import fc from 'fast-check';
import { AppError } from '../../../src/errors';
import { type Grant } from '../../../src/services/playback';
import { createPlaybackGrants, derivePlaybackKeys } from '../../../src/services/playback-grants';

const CURRENT = 'a-secret-for-tests-of-32-bytes-or-more';
const PREVIOUS = 'the-secret-before-the-rotation-32-bytes';
const OWN = 'a-secret-for-grants-of-32-bytes-or-more';
const GRANT: Grant = {
  id: 'AAECAwQFBgcICQoLDA0ODw',
  subject: 'anna',
  trackId: 'Artist/Album/01 Söng',
  signedEndSeconds: 1_790_000_000,
};
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const grantsOf = (...jwtSecrets: string[]) =>
  createPlaybackGrants(derivePlaybackKeys({ playbackSecret: undefined, jwtSecrets }));
const grants = grantsOf(CURRENT);
const text = grants.sign(GRANT);

function accepts(sent: string, trackId = GRANT.trackId, by = grants): boolean {
  try {
    by.verify(sent, trackId);
    return true;
  } catch (error) {
    // one answer for all: it does not tell how near a guess was
    expect(error).toMatchObject({ code: 'invalid_grant' });
    expect(String(error)).not.toContain(sent === '' ? '\0' : sent);
    return false;
  }
}

/** The text of other values under the signature of GRANT. */
function relabelled({ id, subject, signedEndSeconds }: Grant): string {
  const encoded = Buffer.from(subject).toString('base64url');
  return `${id}.${signedEndSeconds.toString(36)}.${encoded}.${text.split('.')[3]!}`;
}

describe('the text of a grant', () => {
  it('is the one of docs/decisions/0013', () => {
    const key = Buffer.from(hkdfSync('sha256', CURRENT, '', 'tuneton playback grants 1', 32));
    const signed = `["tuneton-playback-1","${GRANT.id}",1790000000,"anna","Artist/Album/01 Söng"]`;
    const signature = createHmac('sha256', key).update(signed).digest('base64url');
    expect(text).toBe(`${GRANT.id}.tlpwu8.YW5uYQ.${signature}`);
    expect(signature).toHaveLength(43);
  });

  it('says what was signed', () => {
    expect(grants.verify(text, GRANT.trackId)).toEqual(GRANT);
  });

  it('is read back for every subject and track, and needs no encoding in an address', () => {
    const values = fc.record({
      subject: fc.string({ unit: 'binary', minLength: 1, maxLength: 64 }),
      trackId: fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }),
      signedEndSeconds: fc.integer({ min: 1_700_000_000, max: 9_000_000_000 }),
    });
    fc.assert(
      fc.property(values, (value) => {
        const grant = { ...GRANT, ...value };
        const sent = grants.sign(grant);
        expect(grants.verify(sent, grant.trackId)).toEqual(grant);
        expect(encodeURIComponent(sent)).toBe(sent);
      }),
    );
  });

  it('fits the longest subject a token may have, whose text is the longest', () => {
    const grant = { ...GRANT, subject: '\uffff'.repeat(128), signedEndSeconds: 36 ** 8 - 1 };
    const sent = grants.sign(grant);
    expect(grants.verify(sent, grant.trackId)).toEqual(grant);
    expect(sent).toHaveLength(588);
  });

  it('is not made for a subject that cannot be written down', () => {
    const sign = () => grants.sign({ ...GRANT, subject: 'a\ud800' });
    expect(sign).toThrow(AppError);
    expect(sign).toThrow('not valid Unicode');
  });
});

describe('verify() refuses', () => {
  it('a text in which any one character is another, is missing or is there twice', () => {
    let tried = 0;
    for (let at = 0; at < text.length; at += 1) {
      const [before, after] = [text.slice(0, at), text.slice(at + 1)];
      for (const other of `${ALPHABET}.=%+/~ \0é`) {
        if (other === text[at]) continue;
        tried += 1;
        if (accepts(before + other + after)) throw new Error(`accepted ${other} at ${at}`);
      }
      expect(accepts(before + after)).toBe(false);
      expect(accepts(before + text[at]! + text[at]! + after)).toBe(false);
    }
    expect(tried).toBeGreaterThan(text.length * ALPHABET.length);
  });

  it.each([
    ['id', { ...GRANT, id: 'BAECAwQFBgcICQoLDA0ODw' }],
    ['end', { ...GRANT, signedEndSeconds: GRANT.signedEndSeconds + 1 }],
    ['subject', { ...GRANT, subject: 'annb' }],
  ])('another %s under the same signature', (_name, other) => {
    expect(relabelled(GRANT)).toBe(text);
    expect(accepts(relabelled(other))).toBe(false);
  });

  it.each([
    'Artist/Album/01 So\u0308ng',
    'Artist/Album/01%20Söng',
    'Artist%2FAlbum%2F01 Söng',
    'artist/Album/01 Söng',
    'Artist/Album/01 Söng ',
    'Artist/Album/01 Söng/',
    'Artist/Album',
    '',
  ])('another track: %j', (trackId) => {
    expect(accepts(text, trackId)).toBe(false);
  });

  it('what is moved from one value into its neighbour', () => {
    const sent = grants.sign({ ...GRANT, subject: 'a', trackId: 'b","c' });
    expect(accepts(sent, 'b","c')).toBe(true);
    const moved = sent.replace('.YQ.', `.${Buffer.from('a","b').toString('base64url')}.`);
    expect(accepts(moved, 'c')).toBe(false);
  });

  const [id, end, subject, signature] = text.split('.') as [string, string, string, string];
  /** Decodes to the same bytes: the last character has bits that are not used. */
  const twin = (encoded: string, unused: number): string => {
    const last = ALPHABET.indexOf(encoded.at(-1)!);
    return encoded.slice(0, -1) + ALPHABET[last ^ unused]!;
  };
  it.each([
    ['padding behind the signature', `${text}=`],
    ['padding behind the subject', [id, end, `${subject}==`, signature].join('.')],
    ['a signature of the same bytes', [id, end, subject, twin(signature, 1)].join('.')],
    ['a subject of the same bytes', [id, end, twin(subject, 1), signature].join('.')],
    ['an end with a zero in front', [id, `0${end}`, subject, signature].join('.')],
    ['an end in upper case', [id, end.toUpperCase(), subject, signature].join('.')],
    ['percent-encoding', text.replace('.', '%2E')],
    ['a blank behind', `${text} `],
    ['a line end behind', `${text}\n`],
    ['another part', `${text}.x`],
    ['another part in front', `x.${text}`],
    ['no signature', [id, end, subject].join('.')],
    ['an empty signature', [id, end, subject, ''].join('.')],
    ['an empty subject', [id, end, '', signature].join('.')],
    ['nothing', ''],
    ['a megabyte', text + 'A'.repeat(1_000_000)],
    ['a subject that is no UTF-8', [id, end, '_w', signature].join('.')],
    ['a JSON Web Token', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.'],
  ])('%s', (_name, sent) => {
    expect(sent).not.toBe(text);
    expect(accepts(sent)).toBe(false);
  });
});

describe('keys', () => {
  it('of the previous secret check, and never sign', () => {
    const rotated = grantsOf(OWN, CURRENT);
    expect(accepts(text, GRANT.trackId, rotated)).toBe(true);
    expect(rotated.sign(GRANT)).toBe(grantsOf(OWN).sign(GRANT));
    expect(rotated.sign(GRANT)).not.toBe(text);
    expect(accepts(text, GRANT.trackId, grantsOf(OWN, PREVIOUS))).toBe(false);
  });

  it('are the secret of their own where there is one, and no other', () => {
    const keys = derivePlaybackKeys({ playbackSecret: OWN, jwtSecrets: [CURRENT] });
    const own = createPlaybackGrants(keys);
    expect(accepts(own.sign(GRANT), GRANT.trackId, own)).toBe(true);
    expect(accepts(text, GRANT.trackId, own)).toBe(false);
    expect(accepts(own.sign(GRANT), GRANT.trackId, grantsOf(OWN))).toBe(false);
  });

  it('are not those that tokens are signed with', () => {
    const signed = JSON.stringify([
      'tuneton-playback-1',
      GRANT.id,
      GRANT.signedEndSeconds,
      GRANT.subject,
      GRANT.trackId,
    ]);
    const signature = createHmac('sha256', CURRENT).update(signed).digest('base64url');
    expect(accepts(text.replace(/[^.]+$/, signature))).toBe(false);
  });

  it('must be there', () => {
    expect(() => derivePlaybackKeys({ playbackSecret: undefined, jwtSecrets: [] })).toThrow(
      TypeError,
    );
  });
});
