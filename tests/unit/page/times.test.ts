import { formatTime, parseFragmentTime, speakTime } from '../../../src/page/times.js';

describe('parseFragmentTime()', () => {
  it.each([
    ['10', 10],
    ['61.5', 61.5],
    ['10,20', 10],
    ['npt:10,20', 10],
    ['1:01.5', 61.5],
    ['npt:1:00:01', 3601],
    ['', undefined],
    [',20', undefined],
    ['1:61', 121],
    ['-1', undefined],
    ['smpte:0:01:00', undefined],
    ['1e3', undefined],
  ])('reads %s as %s', (text, seconds) => {
    expect(parseFragmentTime(text)).toBe(seconds);
  });
});

describe('formatTime()', () => {
  it.each([
    [0, '0:00'],
    [65.9, '1:05'],
    [3723, '1:02:03'],
    [null, '–:––'],
    [Infinity, '–:––'],
  ])('shows %s as %s', (seconds, text) => {
    expect(formatTime(seconds)).toBe(text);
  });
});

describe('speakTime()', () => {
  it.each([
    [0, '0 seconds'],
    [61, '1 minute 1 second'],
    [7322, '2 hours 2 minutes 2 seconds'],
  ])('says %s as %s', (seconds, text) => {
    expect(speakTime(seconds)).toBe(text);
  });
});
