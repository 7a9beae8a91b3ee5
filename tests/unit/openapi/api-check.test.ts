import { findMismatches, type SeenAnswer } from '../../support/api-check';
import { EXAMPLES } from '../../../src/openapi/examples';

/** An answer that is as it should be, but for what a test changes. */
function answer(changes: Partial<SeenAnswer> = {}, fields: object = {}): SeenAnswer {
  return {
    method: 'GET',
    target: '/health',
    status: 200,
    content: Buffer.from(JSON.stringify(EXAMPLES.answers.health)),
    fields: new Map(
      Object.entries({
        'x-request-id': 'a',
        'cache-control': 'no-store',
        'content-length': '1',
        'content-type': 'application/json; charset=utf-8',
        ...fields,
      }),
    ),
    ...changes,
  };
}

const health = EXAMPLES.answers.health as object;
const error = EXAMPLES.errors.not_found as object;

function json(value: unknown): Pick<SeenAnswer, 'content'> {
  return { content: Buffer.from(JSON.stringify(value)) };
}

describe('findMismatches()', () => {
  it('finds nothing in an answer that is as documented', () => {
    expect(findMismatches(answer())).toEqual([]);
    expect(findMismatches(answer({ target: '/nothing', status: 404, ...json(error) }))).toEqual([]);
  });

  it.each<[what: string, seen: SeenAnswer, mismatch: string]>([
    ['an address', answer({ target: '/nothing' }), 'address is not documented'],
    ['a method', answer({ method: 'PUT' }), 'method PUT is not documented'],
    ['a status', answer({ status: 206 }), 'status 206 is not documented'],
    ['a media type', answer({}, { 'content-type': 'text/html' }), 'text/html is not documented'],
    [
      'a field that is not as it should be',
      answer({}, { 'content-length': 'x' }),
      'Content-Length',
    ],
    ['a member', answer(json({ ...health, more: 1 })), 'must NOT have additional properties'],
    ['a member that is missing', answer(json({ status: 'ok' })), 'must have required property'],
    ['no JSON', answer({ content: Buffer.from('x') }), 'no JSON'],
    [
      'a code',
      answer({ status: 500, ...json({ status: 'error', code: 'track_not_found', message: '' }) }),
      'must be equal to one of the allowed values',
    ],
  ])('finds %s that is not documented', (_what, seen, mismatch) => {
    expect(findMismatches(seen).join()).toContain(mismatch);
  });

  it('finds a field that is missing', () => {
    const seen = answer();
    expect(findMismatches({ ...seen, fields: new Map([...seen.fields].slice(1)) })).toEqual([
      'X-Request-Id is missing',
    ]);
  });
});
