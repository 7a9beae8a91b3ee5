import { once } from 'node:events';
import { type RequestListener, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { createTagReader } from '../../src/adapters/tag-reader';
import { createRequestListener } from '../../src/app';
import { parseConfig } from '../../src/config';
import { createContainer, type Container, type Replacements } from '../../src/container';
import { createLogs } from '../../src/observability/logs';
import { createHttpServer } from '../../src/server';
import { checked } from './api-check';
import { TEST_SECRET } from './sign-token';
import { until } from './until';

/** What answers of the running test were not as the description of the API says. */
const mismatches: string[] = [];

afterEach(() => {
  const found = mismatches.splice(0);
  if (found.length > 0) throw new Error(`not as in openapi.json:\n${found.join('\n')}`);
});

export interface TestApp {
  readonly port: number;
  readonly server: Server;
  readonly container: Container;
  /** log lines so far, parsed */
  readonly log: Record<string, unknown>[];
  close(): Promise<void>;
}

/**
 * The whole app on a real socket and the real Redis of the test run. The test fails whose request is
 * answered otherwise than openapi.json says.
 */
export async function startApp(
  env: Readonly<Record<string, string>> = {},
  replacements: Replacements = {},
  createListener: (container: Container) => RequestListener = createRequestListener,
): Promise<TestApp> {
  const config = parseConfig({
    JWT_SECRET: TEST_SECRET,
    REDIS_URL: process.env.TEST_REDIS_URL,
    // all suites share one address
    RATE_LIMIT_AUTH_FAILURES: '1000000',
    // CI runs all suites both ways
    FAST_LANE: process.env.FAST_LANE,
    CACHE_DIR: join(tmpdir(), `tuneton-test-cache-${process.pid}`),
    ...env,
  });
  const log: Record<string, unknown>[] = [];
  const lines = new Writable({
    write(batch: Buffer, _encoding, done) {
      for (const line of batch.toString().trimEnd().split('\n')) {
        log.push(JSON.parse(line) as Record<string, unknown>);
      }
      done();
    },
  });
  const logs = createLogs({ level: 'debug', format: 'json', stream: lines, maxWaitMs: 0 });
  const tagReader = createTagReader({ workerFile: process.env.TEST_TAG_WORKER! });
  const container = await createContainer(config, logs, { tagReader, ...replacements });
  const { redis } = container;
  // a slow machine takes longer than the service would wait for it
  const isThere = config.redisUrl !== undefined && config.redisUrl === process.env.TEST_REDIS_URL;
  if (isThere) await until(() => redis.isUp(), 'redis is in use');
  const listener = checked(createListener(container), (mismatch) => mismatches.push(mismatch));
  const { server } = createHttpServer(listener, container);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    server,
    container,
    log,
    async close() {
      server.close();
      server.closeAllConnections();
      await container.close();
    },
  };
}
