import { leaveOnSignals } from './early-signals';
// a signal while the rest is loaded must not be lost
leaveOnSignals();
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { sign } from 'jsonwebtoken';
import { openFfmpeg, type Ffmpeg } from './adapters/ffmpeg';
import { runService, type RunningService } from './process';

const FIRST_TRACK = 'first-light';
const TOKEN_LIFETIME_SECONDS = 12 * 60 * 60;

/** Plays `samples/` under a secret made for this run, and prints how to listen. */
async function runDemo(): Promise<void> {
  const secret = randomBytes(32).toString('base64url');
  const service = await runService({
    HOST: '127.0.0.1',
    AUDIO_FILES_DIR: join(__dirname, '..', 'samples'),
    CACHE_DIR: join(__dirname, '..', 'cache'),
    PLAYER_PAGE: 'true',
    ...process.env,
    JWT_SECRET: secret,
    // what else is asked of a token where this shell starts the service is not asked of the demo's
    JWT_PUBLIC_KEY: '',
    JWKS_URL: '',
    JWT_ISSUER: '',
    JWT_AUDIENCE: '',
    JWT_REQUIRED_SCOPE: '',
  });
  if (!service) return;

  const token = sign({ sub: 'demo-listener' }, secret, {
    algorithm: 'HS256',
    expiresIn: TOKEN_LIFETIME_SECONDS,
  });
  // as the service looks for it
  const { FFMPEG_PATH } = process.env;
  const ffmpeg = await openFfmpeg(FFMPEG_PATH === '' ? undefined : FFMPEG_PATH);
  process.stdout.write(describeDemo(service, token, ffmpeg));
}

function describeDemo(
  { address, isRedisUp }: RunningService,
  token: string,
  ffmpeg?: Ffmpeg,
): string {
  const { port } = address;
  const host = address.address === '127.0.0.1' ? address.address : 'localhost';
  const origin = `http://${host}:${port}`;
  const url = `${origin}/api/stream/${FIRST_TRACK}`;
  const auth = `-H 'Authorization: Bearer ${token}'`;
  return `
The demo plays samples/. Open the player:

  ${origin}/#token=${token}

A token for the next 12 hours:

  ${token}

The whole track, a range of it, its metadata:

  curl ${auth} -o ${FIRST_TRACK}.mp3 ${url}
  curl ${auth} -r 1000-1999 -o range.bin -D - ${url}
  curl ${auth} ${url}/metadata

The same as a small MP3, which is made while it is played, and as HLS:

  curl ${auth} -o small.mp3 '${url}?format=mp3&bitrate=64'
  ffplay -headers $'Authorization: Bearer ${token}\\r\\n' ${url}/hls/master.m3u8

Listen, and seek with the arrow keys:

  ffplay -headers $'Authorization: Bearer ${token}\\r\\n' ${url}
  mpv --http-header-fields='Authorization: Bearer ${token}' ${url}

Redis: ${isRedisUp ? 'in use.' : 'not there. Limits and caches are kept in this process.'}
ffmpeg: ${ffmpeg ? `version ${ffmpeg.version}` : 'not found'}. Originals are streamed as they are and do not need it, all other forms do.
Stop with Ctrl+C.
`;
}

void runDemo();
