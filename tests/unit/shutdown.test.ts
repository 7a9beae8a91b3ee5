import { PassThrough } from 'node:stream';
import { createLogs } from '../../src/observability/logs';
import { flush } from '../../src/shutdown';

describe('flush()', () => {
  it('settles when all lines are out, and lets what comes late go by', async () => {
    const output = new PassThrough();
    const logs = createLogs({ level: 'info', format: 'json', stream: output });
    logs.logger.info('in time');
    const flushed = flush(logs);
    // a program that was asked something before may answer in any moment
    logs.logger.info('late');
    await flushed;
    logs.logger.info('later');

    const text = String(output.read());
    expect(text).toContain('"in time"');
    expect(text).not.toContain('late');
  });
});
