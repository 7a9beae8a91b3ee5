import { join } from 'node:path';
import { ffmpeg } from '../support/audio-files';
import { send } from '../support/http-client';
import { measureLoudness } from '../support/measure-loudness';
import { startService, stopServices, type ServiceProcess } from '../support/service-process';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const library = createTempFolder();
const AUTHORIZATION = bearer();
const TARGET_LUFS = -14;
/** what encoders of lossy sound take off or add */
const CODEC_LU = 0.8;

/** WAV decodes to integers, AAC to floating point: by itself ffmpeg mixes the two differently. */
const SOURCES = ['integers.wav', 'floats.m4a'] as const;

let service: ServiceProcess;

beforeAll(async () => {
  // the same in all channels, so a mix is as loud as it can get
  const loud = 'anoisesrc=c=pink:a=0.5:seed=3:r=48000:d=4';
  const input = `${loud},pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0`;
  for (const name of SOURCES) await ffmpeg(['-f', 'lavfi', '-i', input, join(library, name)]);
  service = await startService({
    AUDIO_FILES_DIR: library,
    CACHE_DIR: createTempFolder(),
    PATH: process.env.PATH ?? '',
  });
}, 60_000);

afterAll(async () => {
  await stopServices();
  removeTempFolders();
});

async function get(name: string, query: string): Promise<Buffer> {
  const path = `/api/stream/${name.split('.')[0]!}${query}`;
  const answer = await send(service.port, path, { headers: { authorization: AUTHORIZATION } });
  expect(answer.status).toBe(200);
  return answer.content;
}

const CASES = [
  ...['mp3', 'aac', 'opus', 'flac', 'wav'].map((format) => ['integers.wav', format] as const),
  ...['mp3', 'aac', 'opus'].map((format) => ['floats.m4a', format] as const),
].flatMap((row) => ([2, 1] as const).map((channels) => [...row, channels] as const));

describe('six loud channels', () => {
  it.each(CASES)('of %s are mixed as %s to %i without clipping', async (name, format, channels) => {
    const layout = channels === 1 ? 'mono' : 'stereo';
    const mixed = measureLoudness(
      join(library, name),
      `aformat=sample_fmts=s16:channel_layouts=${layout},`,
    );
    const plain = measureLoudness(await get(name, `?format=${format}&channels=${channels}`));
    expect(Math.abs(plain.lufs - mixed.lufs)).toBeLessThan(CODEC_LU);

    const leveled = measureLoudness(
      await get(name, `?format=${format}&channels=${channels}&gain=track`),
    );
    // peaks may hold it back, as they do here
    expect(leveled.lufs).toBeLessThan(TARGET_LUFS + CODEC_LU);
    expect(leveled.lufs).toBeGreaterThan(TARGET_LUFS - 3);
    expect(leveled.peakDbtp).toBeLessThan(0);
  });

  it.each(SOURCES)('of %s are mixed for HLS without clipping', async (name) => {
    const list = (await get(name, '/hls/256k/index.m3u8')).toString();
    const folder = '/hls/256k/';
    const head = /MAP:URI="([^"]+)"/.exec(list)![1]!;
    const segment = /^\S+\.m4s$/m.exec(list)![0];
    const sound = Buffer.concat([
      await get(name, folder + head),
      await get(name, folder + segment),
    ]);
    const mixed = measureLoudness(
      join(library, name),
      'aformat=sample_fmts=s16:channel_layouts=stereo,',
    );
    expect(Math.abs(measureLoudness(sound).lufs - mixed.lufs)).toBeLessThan(CODEC_LU);
  });
});
