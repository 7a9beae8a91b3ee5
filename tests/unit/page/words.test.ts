import { Refusal } from '../../../src/page/api.js';
import { explain } from '../../../src/page/words.js';
import { STATUS_BY_CODE } from '../../../src/middleware/error-handler';

function refuse(code: string, details: object = {}): Refusal {
  return new Refusal({ status: 400, code, message: 'as the service says', ...details });
}

describe('explain()', () => {
  it('names the way on where a listener has one', () => {
    expect(explain(refuse('invalid_token')).action).toBe('token');
    expect(explain(refuse('ffmpeg_unavailable')).action).toBe('original');
    expect(explain(refuse('overloaded', { retryAfterSeconds: 1 }))).toEqual({
      text: 'The server is busy. Try again in 1 second.',
      action: 'retry',
      label: 'Try again',
    });
  });

  it('names what plays elsewhere by the last part of its id', () => {
    const playbacks = [{ id: 'x', trackId: 'Album/Song', startedAt: '', lastActiveAt: '' }];
    const { text, action } = explain(refuse('too_many_playbacks', { playbacks }));
    expect([text.includes('(“Song”)'), action]).toEqual([true, 'takeover']);
  });

  it('has the words of the service for all else, whatever its code', () => {
    for (const code of ['never_heard_of', 'constructor', '__proto__']) {
      expect(explain(refuse(code)).text).toBe('as the service says');
    }
  });

  it('knows what each code means that comes with a wait', () => {
    const codes = Object.entries(STATUS_BY_CODE).filter(([, status]) =>
      [429, 503].includes(status),
    );
    for (const [code] of codes) {
      expect([code, explain(refuse(code)).text]).not.toEqual([code, 'as the service says']);
    }
  });
});
