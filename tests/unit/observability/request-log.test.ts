import fc from 'fast-check';
import { type LineSink } from '../../../src/observability/line-sink';
import { createRequestLog, type RequestRecord } from '../../../src/observability/request-log';

const RECORD: RequestRecord = {
  requestId: 'id-1',
  method: 'GET',
  path: '/api/stream/song',
  route: '/api/stream/:trackId',
  track: 'song',
  status: 206,
  bytesSent: 10,
  firstByteMs: 1.25,
  durationMs: 2.5,
  outcome: 'complete',
  subject: 'anna',
};
const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';

function create(
  format: 'json' | 'text',
  worker?: number,
  isLevelEnabled: boolean | ((level: string) => boolean) = true,
) {
  const lines: string[] = [];
  const sink: LineSink = {
    write: () => undefined,
    append: (line) => lines.push(line),
    flush: () => Promise.resolve(),
  };
  const options = { format, ...(worker === undefined ? {} : { worker }) };
  const asked = typeof isLevelEnabled === 'function' ? isLevelEnabled : () => isLevelEnabled;
  return { lines, log: createRequestLog({ isLevelEnabled: asked }, options, sink) };
}

describe('createRequestLog()', () => {
  it('writes JSON that says just what the record does, whatever a client sends', () => {
    const hostile = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('"', '\\', '\n', '\r', '\0', '\u2028', '\ud800', 'é') }),
    );
    const texts = fc.record(
      { path: hostile, track: fc.option(hostile), subject: hostile, playback: hostile },
      { requiredKeys: ['path', 'track', 'subject'] },
    );
    fc.assert(
      fc.property(texts, (sent) => {
        const { lines, log } = create('json');
        const record = { ...RECORD, ...sent };
        log('info', record);
        expect(lines).toHaveLength(1);
        expect(lines[0]!.slice(0, -1)).not.toMatch(/[\n\r]/);
        const { timestamp, ...said } = JSON.parse(lines[0]!) as Record<string, unknown>;
        expect(said).toEqual({ level: 'info', message: 'request', ...record });
        expect(new Date(String(timestamp)).toISOString()).toBe(timestamp);
      }),
    );
  });

  it.each(['json', 'text'] as const)('lets no token through as %s', (format) => {
    const { lines, log } = create(format);
    log('info', { ...RECORD, path: `/${TOKEN}`, track: TOKEN, subject: `Bearer ${TOKEN}` });
    expect(lines[0]).not.toContain('c2lnbmF0dXJl');
    expect(lines[0]).toContain('[redacted]');
  });

  it('names the reason of a cut, and the worker where there are several', () => {
    const { lines, log } = create('json', 3);
    log('warn', { ...RECORD, outcome: 'cut-by-server', cutReason: 'short-read' });
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'warn',
      cutReason: 'short-read',
      worker: 3,
    });
  });

  it('writes a line for people', () => {
    const { lines, log } = create('text', 3);
    log('info', { ...RECORD, track: 'a\nb c' });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\S+ info {2}request requestId=id-1 method=GET .* worker=3\n$/);
    expect(lines[0]).toContain('track="a\\nb c"');
  });

  it('writes nothing at a level that is off', () => {
    const { lines, log } = create('json', undefined, false);
    log('info', RECORD);
    expect(lines).toEqual([]);
  });

  it('tells levels that are on from those that are off', () => {
    const { lines, log } = create('json', undefined, (level) => level !== 'info');
    log('info', RECORD);
    log('error', RECORD);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ level: 'error' }]);
  });
});
