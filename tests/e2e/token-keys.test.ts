import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson, send, type Answer } from '../support/http-client';
import { patternedBytes } from '../support/patterned-bytes';
import { createSelfSigned } from '../support/self-signed';
import { startService, stopServices, type ServiceProcess } from '../support/service-process';
import { createTempFolder, removeTempFolders } from '../support/temp-folder';
import { createIssuerKey, startIssuer, type Issuer } from '../support/token-issuer';

const PLAYBACK_SECRET = 'a-secret-for-playback-of-32-bytes-or-more';

const library = createTempFolder();
const key = createIssuerKey('ec-1');
const [trusted, other] = [createSelfSigned(), createSelfSigned()];
const authority = join(createTempFolder(), 'authority.pem');

let issuer: Issuer;

beforeAll(() => {
  writeFileSync(join(library, 'song.mp3'), patternedBytes(1_000));
  writeFileSync(authority, trusted.cert);
});
afterEach(async () => {
  await stopServices();
  await issuer.close();
});
afterAll(removeTempFolders);

function start(url: string, env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
  return startService({
    AUDIO_FILES_DIR: library,
    JWT_SECRET: '',
    JWKS_URL: url,
    PLAYBACK_SECRET,
    ...env,
  });
}

function ask({ port }: ServiceProcess, token: string): Promise<Answer> {
  return send(port, '/api/stream/song', { headers: { authorization: `Bearer ${token}` } });
}

describe('a JWKS_URL behind https', () => {
  it('is read where its certificate is trusted', async () => {
    issuer = await startIssuer([key], 0, trusted);
    const service = await start(issuer.url, { NODE_EXTRA_CA_CERTS: authority });
    expect((await ask(service, key.sign())).status).toBe(200);
    const stranger = createIssuerKey('ec-1');
    expect((await ask(service, stranger.sign())).status).toBe(401);
    expect(issuer.requests).toHaveLength(1);
  });

  it.each([
    ['nobody has vouched for', trusted, '127.0.0.1', {}],
    ['somebody else is vouched for', other, '127.0.0.1', { NODE_EXTRA_CA_CERTS: authority }],
    ['is for another name', trusted, 'localhost', { NODE_EXTRA_CA_CERTS: authority }],
  ])('is not read with a certificate that %s', async (_why, certificate, name, env) => {
    issuer = await startIssuer([key], 0, certificate);
    const service = await start(issuer.url.replace('127.0.0.1', name), env);
    const refused = await ask(service, key.sign());
    expect([refused.status, parseJson(refused).code]).toEqual([503, 'keys_unavailable']);
    await service.logged('keys of tokens cannot be fetched');
    expect(issuer.requests).toHaveLength(0);
  });
});
