import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ffmpeg } from '../support/audio-files';
import { parseJson, send, type Answer } from '../support/http-client';
import { startService, stopServices, type ServiceProcess } from '../support/service-process';
import { bearer } from '../support/sign-token';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';

const MIB = 1024 * 1024;
const library = createTempFolder();
const authorization = bearer();
let service: ServiceProcess;

beforeAll(async () => {
  for (const minutes of [1, 20]) {
    const source = `sine=440:r=44100:d=${minutes * 60}`;
    const file = join(library, `minutes-${minutes}.flac`);
    await ffmpeg(['-f', 'lavfi', '-i', source, '-compression_level', '0', file]);
  }
  service = await startService({
    PATH: process.env.PATH ?? '',
    AUDIO_FILES_DIR: library,
    CACHE_DIR: createTempFolder(),
  });
}, 60_000);
afterAll(async () => {
  await stopServices();
  removeTempFolders();
});

const get = (path: string): Promise<Answer> =>
  send(service.port, `/api/stream/${path}`, { headers: { authorization } });

/** The most it ever had resident. */
function readPeakBytes(): number {
  const status = readFileSync(`/proc/${service.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

it('takes no more memory for the waveform of a long track than for that of a short one', async () => {
  // decoded they are 5 and 106 MB
  for (let i = 100; i < 105; i += 1) await get(`minutes-1/waveform?pixelsPerSecond=${i}`);
  const before = readPeakBytes();
  const answer = await get('minutes-20/waveform?pixelsPerSecond=100');
  expect(parseJson(answer)).toMatchObject({ length: 120_000, sample_rate: 44_100 });
  expect(readPeakBytes() - before).toBeLessThan(40 * MIB);
});
