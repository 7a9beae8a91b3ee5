import { hasScope, readAllowedTracks } from '../../../src/services/token-permissions';

describe('hasScope()', () => {
  it.each<[object, boolean]>([
    [{ scope: 'stream:read' }, true],
    [{ scope: 'openid stream:read profile' }, true],
    [{ scope: ' stream:read ' }, true],
    [{ scp: 'openid stream:read' }, true],
    [{ scp: ['openid', 'stream:read'] }, true],
    [{ scope: 'openid', scp: ['stream:read'] }, true],
    [{ scope: 'stream:read', scp: 7 }, true],
    [{}, false],
    [{ scope: '' }, false],
    [{ scope: 'stream:reader' }, false],
    [{ scope: 'xstream:read' }, false],
    [{ scope: 'STREAM:READ' }, false],
    [{ scope: 'stream:read,openid' }, false],
    [{ scope: 'stream:*' }, false],
    [{ scope: '*' }, false],
    [{ scope: ['stream:read'] }, false],
    [{ scope: { 'stream:read': true } }, false],
    [{ scope: null, scp: null }, false],
    [{ scp: [['stream:read']] }, false],
    [{ scp: ['openid stream:read'] }, false],
    [{ scp: { 0: 'stream:read' } }, false],
    [{ permissions: ['stream:read'] }, false],
  ])('of %j: %s', (claims, expected) => {
    expect(hasScope(claims as Record<string, unknown>, 'stream:read')).toBe(expected);
  });
});

describe('readAllowedTracks()', () => {
  it('allows all without the claim', () => {
    expect(readAllowedTracks({})).toBeUndefined();
  });

  it.each<[string[], string, boolean]>([
    [['song'], 'song', true],
    [['song'], 'song2', false],
    [['song'], 'son', false],
    [['song'], 'Song', false],
    [['song'], 'song/x', false],
    [['a', 'b', 'c'], 'c', true],
    [['Artist/Album/01 Song'], 'Artist/Album/01 Song', true],
    [['Artist/Album/*'], 'Artist/Album/01 Song', true],
    [['Artist/Album/*'], 'Artist/Album', false],
    [['Artist/Album/*'], 'Artist/Albums/01', false],
    [['Artist*'], 'Artist/Album/01', true],
    [['Artist*'], 'Artistry', true],
    [['*'], 'anything', true],
    [[], 'song', false],
    // in the middle it is a character like any other, and no pattern is a regular expression
    [['a*b'], 'axb', false],
    [['a*b'], 'a*b', true],
    [['.+'], 'song', false],
    [['.*'], 'song', false],
    [['s**'], 's*x', true],
    [['s**'], 'sx', false],
    // composed in the token, decomposed in the address, and the other way round
    [['Caf\u00e9'], 'Cafe\u0301', true],
    [['Cafe\u0301'], 'Caf\u00e9', true],
    [['Cafe\u0301/*'], 'Caf\u00e9/song', true],
    [['\ufb01sh'], 'fish', false],
    [['__proto__'], 'constructor', false],
    [['song'], '__proto__', false],
  ])('%j and %j: %s', (tracks, trackId, expected) => {
    expect(readAllowedTracks({ tracks })?.mayOpen(trackId)).toBe(expected);
  });

  it('counts what has to be kept', () => {
    expect(readAllowedTracks({ tracks: ['a', 'b*'] })?.count).toBe(2);
    expect(readAllowedTracks({ tracks: Array<string>(256).fill('a') })?.count).toBe(256);
  });

  it.each<[unknown]>([
    [null],
    ['song'],
    ['*'],
    [true],
    [7],
    [{}],
    [{ 0: 'song', length: 1 }],
    [['']],
    [['song', '']],
    [[null]],
    [[7]],
    [['song', ['a']]],
    [[{ id: 'song' }]],
    [Array<string>(257).fill('a')],
  ])('refuses %j', (tracks) => {
    expect(() => readAllowedTracks({ tracks })).toThrow('The token names its tracks');
  });
});
