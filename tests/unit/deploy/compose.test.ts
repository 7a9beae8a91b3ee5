import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'yaml';

interface ComposeService {
  readonly image: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly stop_grace_period?: string;
  readonly [field: string]: unknown;
}

const text = readFileSync(join(__dirname, '../../../docker-compose.yml'), 'utf8');
const { services } = parse(text) as { services: Readonly<Record<string, ComposeService>> };
const service = services['streaming-service']!;
const redis = services.redis!;

describe('docker-compose.yml', () => {
  it('is the service and Redis', () => {
    expect(Object.keys(services)).toEqual(['streaming-service', 'redis']);
    expect(service.build).toBe('.');
    expect(service.image).toBe('tuneton/streaming-service:latest');
    expect(service.pull_policy).toBe('build');
    expect(redis.image).toMatch(/^redis:8\.2/);
  });

  it('plays the samples, reachable from this machine alone', () => {
    expect(service.command).toEqual(['node', 'dist/demo.js']);
    expect(service.environment).toMatchObject({ HOST: '0.0.0.0', PORT: '3005' });
    expect(service.ports).toEqual(['127.0.0.1:3005:3005']);
    expect(service.environment).not.toHaveProperty('AUDIO_FILES_DIR');
    expect(service.environment).not.toHaveProperty('JWT_SECRET');
  });

  it('starts the service when Redis answers, under the name of REDIS_URL', () => {
    expect(service.depends_on).toEqual({ redis: { condition: 'service_healthy' } });
    expect(redis.healthcheck).toMatchObject({ test: ['CMD', 'redis-cli', 'ping'] });
    expect(service.environment?.REDIS_URL).toBe('redis://redis:6379');
  });

  it.each(Object.entries(services))('takes from %s what it does not need', (_, { ...fields }) => {
    expect(fields.read_only).toBe(true);
    expect(fields.cap_drop).toEqual(['ALL']);
    expect(fields.security_opt).toEqual(['no-new-privileges:true']);
    expect(fields.tmpfs).toContainEqual(expect.stringMatching(/^\/tmp:size=/));
    expect(fields).not.toHaveProperty('privileged');
    expect(fields).not.toHaveProperty('cap_add');
  });

  it('keeps Redis without ports, root, disk and growth', () => {
    expect(redis).not.toHaveProperty('ports');
    expect(redis.user).toBe('999:1000');
    expect(redis.command.join(' ')).toContain('--save  --appendonly no');
    expect(redis.command.join(' ')).toMatch(/--maxmemory \d+mb --maxmemory-policy volatile-lru$/);
  });

  it('waits longer for the end than the service drains', () => {
    const drainSeconds = Number(service.environment?.DRAIN_TIMEOUT_SECONDS);
    expect(parseInt(service.stop_grace_period!, 10)).toBeGreaterThanOrEqual(drainSeconds + 5);
  });

  it('says how a library of one’s own is served, with a secret that has to be given', () => {
    expect(text).toContain('JWT_SECRET: ${JWT_SECRET:?');
    expect(text).toContain(':/app/uploads/audio:ro');
  });
});
