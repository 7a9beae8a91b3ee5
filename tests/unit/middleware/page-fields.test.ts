import { formatPagePolicy } from '../../../src/middleware/page-fields';

describe('formatPagePolicy()', () => {
  it('allows what is our own and nothing inline', () => {
    expect(formatPagePolicy()).toBe(
      "default-src 'none';script-src 'self';style-src 'self';img-src 'self';connect-src 'self';" +
        "base-uri 'none';form-action 'none';frame-ancestors 'none'",
    );
  });

  it('adds what a page needs beside it', () => {
    const policy = formatPagePolicy({ 'img-src': ['data:'], 'media-src': ["'self'", 'blob:'] });
    expect(policy).toContain("img-src 'self' data:;");
    expect(policy).toContain("media-src 'self' blob:;");
    expect(policy).not.toContain('unsafe');
  });
});
