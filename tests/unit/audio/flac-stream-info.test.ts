import { patchFlacStreamInfo } from '../../../src/audio/flac-stream-info';

/** As ffmpeg 5.1 begins a FLAC of 44.1 kHz, stereo, 16 bit in a pipe. */
const HEAD = Buffer.from(
  ['664c614300000022', '120012000000000000000ac442f000000000', '00'.repeat(16)].join(''),
  'hex',
);

describe('patchFlacStreamInfo()', () => {
  it('puts the total into its 36 bits and changes nothing else', () => {
    const patched = patchFlacStreamInfo(HEAD, 2 ** 32 + 5)!;
    expect(patched.subarray(18, 26).toString('hex')).toBe('0ac442f100000005');
    expect(patched.subarray(0, 18)).toEqual(HEAD.subarray(0, 18));
    expect(patched.subarray(26)).toEqual(HEAD.subarray(26));
    expect(HEAD.readUInt32BE(22)).toBe(0);
  });

  it('leaves a total unknown that 36 bits do not hold', () => {
    expect(patchFlacStreamInfo(HEAD, 2 ** 36)).toEqual(HEAD);
  });

  it.each([
    ['another format', Buffer.alloc(42, 'x')],
    ['a head that is cut', HEAD.subarray(0, 41)],
    [
      'another first block',
      Buffer.concat([HEAD.subarray(0, 4), Buffer.from([4]), HEAD.subarray(5)]),
    ],
  ])('knows %s', (_name, head) => {
    expect(patchFlacStreamInfo(head, 1000)).toBeUndefined();
  });
});
