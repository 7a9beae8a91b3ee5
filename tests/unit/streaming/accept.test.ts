import { qualityOf } from '../../../src/streaming/accept';

describe('qualityOf()', () => {
  it.each([
    [undefined, 1],
    ['', 1],
    ['*/*', 1],
    ['application/octet-stream', 1],
    ['Application/Octet-Stream', 1],
    ['application/json', 0],
    ['application/json, application/octet-stream;q=0.5', 0.5],
    ['application/octet-stream; q=0.25, */*; q=0.5', 0.25],
    ['*/*;q=0.5, application/*;q=0.7', 0.7],
    ['application/octet-stream;q=0, */*', 0],
    ['text/*', 0],
    ['application/octet-stream;q=0.1234', 1],
    ['application/octet-stream;level=1;q=0.5', 0.5],
    [',,;,', 0],
  ])('of %j is %d', (field, quality) => {
    expect(qualityOf(field, 'application/octet-stream')).toBe(quality);
  });
});
