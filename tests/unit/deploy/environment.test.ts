import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'yaml';

import { ConfigError, parseConfig } from '../../../src/config';

const root = join(__dirname, '../../..');

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** Every variable of .env.example, those that are commented out too. */
const known = [...read('.env.example').matchAll(/^#?\s*([A-Z][A-Z0-9_]*)=/gm)].map(
  ([, name]) => name,
);

const compose = parse(read('docker-compose.yml')) as {
  services: Record<string, { environment?: Record<string, string> }>;
};
const configMap = parse(read('k8s/config-map.yaml')) as { data: Record<string, string> };
const deployment = parse(read('k8s/deployment.yaml')) as {
  spec: { template: { spec: { containers: { env: { name: string }[] }[] } } };
};

describe('variables named in deployment files', () => {
  it.each([
    ['docker-compose.yml', Object.keys(compose.services['streaming-service']?.environment ?? {})],
    ['k8s/config-map.yaml', Object.keys(configMap.data)],
    [
      'k8s/config-map.yaml, commented out',
      [...read('k8s/config-map.yaml').matchAll(/^ {2}# ([A-Z_]+):/gm)].map(([, name]) => name!),
    ],
    [
      'k8s/deployment.yaml',
      deployment.spec.template.spec.containers.flatMap(({ env }) => env.map(({ name }) => name)),
    ],
    ['docs/nginx.md', ['TRUST_PROXY', 'HOST', 'SEND_TIMEOUT_SECONDS']],
  ])('%s: are in .env.example', (_, names) => {
    expect(names).not.toEqual([]);
    expect(names.filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('values in deployment files', () => {
  const secret = 'x'.repeat(48);

  it('are accepted by the service, and are its defaults where they are in the config map', () => {
    const chosen = { JWT_SECRET: secret, NODE_ENV: 'production', REDIS_URL: 'redis://redis:6379' };
    expect(parseConfig({ ...configMap.data, ...chosen })).toEqual(parseConfig(chosen));
  });

  it('are accepted by the service in compose, where the demo makes the secret', () => {
    const { environment = {} } = compose.services['streaming-service'] ?? {};
    expect(() => parseConfig({ ...environment, JWT_SECRET: secret })).not.toThrow();
  });

  it('are refused where they are only an example', () => {
    const { stringData } = parse(read('k8s/secret.example.yaml')) as {
      stringData: Record<string, string>;
    };
    const env = { NODE_ENV: 'production', JWT_SECRET: stringData['jwt-secret'] };
    expect(() => parseConfig(env)).toThrow(ConfigError);
  });
});

describe('docs/nginx.md', () => {
  const [, snippet = ''] = /```nginx\n([\s\S]*?)```/.exec(read('docs/nginx.md')) ?? [];
  const secondsOf = (directive: string): number =>
    Number(new RegExp(`${directive} (\\d+)s;`).exec(snippet)?.[1]);

  it('closes idle connections before the service does, after 72 s', () => {
    expect(secondsOf('keepalive_timeout')).toBeLessThan(72);
  });

  it('passes the path undecoded, for which proxy_pass must name no path', () => {
    expect(/proxy_pass (\S+);/.exec(snippet)?.[1]).toMatch(/^http:\/\/\w+$/);
  });

  it('is more patient with a listener than the service, which sends for 60 s', () => {
    expect(secondsOf('send_timeout')).toBeGreaterThan(60);
    expect(secondsOf('proxy_read_timeout')).toBeGreaterThan(60);
  });
});
