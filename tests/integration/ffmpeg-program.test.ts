import { findFfmpeg } from '../../src/adapters/ffmpeg/program';

describe('the ffmpeg of these tests', () => {
  it('is the installed one, and says of itself what that says', async () => {
    const installed = await findFfmpeg(process.env.TEST_FFMPEG);
    expect(installed).toMatchObject({ path: process.env.TEST_FFMPEG });
    expect(installed!.containment).not.toEqual([]);
    for (const encoder of ['libmp3lame', 'aac', 'libopus', 'flac', 'pcm_s16le', 'pcm_s24le']) {
      expect(installed!.encoders).toContain(encoder);
    }
    const found = await findFfmpeg(undefined);
    expect(found!.path).not.toBe(installed!.path);
    expect({ ...found, path: '' }).toEqual({ ...installed, path: '' });
  });
});
