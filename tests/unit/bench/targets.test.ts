import { GROWTH_ROWS } from '../../../bench/scenarios/growth';
import { formatTargets } from '../../../bench/targets';

const row = (markdown: string, what: string): string =>
  markdown.split('\n').find((line) => line.startsWith(`| ${what}`)) ?? '';

const rates = (each: Readonly<Record<string, number>>) =>
  Object.entries(each).map(([peer, value]) => ({ peer, name: 'requestsPerSecond', value }));

describe('formatTargets()', () => {
  it('says of what was not measured that it was not', () => {
    const targets = formatTargets(new Map());
    expect(targets).not.toMatch(/reached *\|$/m);
    expect(row(targets, 'whole file')).toContain('not measured in this run');
  });

  it.each([
    [899, '**not reached**'],
    [900, ' reached'],
  ])('judges 1 MiB ranges at %d of 1000 requests of nginx', (ours, verdict) => {
    const targets = formatTargets(new Map([['1m', rates({ nginx: 1000, ours })]]));
    expect(row(targets, '1 MiB ranges')).toContain(verdict);
  });

  it.each([
    [1_000, '1000 ms', ' reached'],
    [1_001, '1001 ms', '**not reached**'],
  ])('judges a start of %d ms', (value, measured, verdict) => {
    const figures = [{ peer: 'ours', name: 'startMs', value }];
    const judged = row(formatTargets(new Map([['start-up', figures]])), 'start to first 200');
    expect(judged.replaceAll(',', '')).toContain(measured);
    expect(judged).toContain(verdict);
  });

  it.each([
    [0.89, '**not reached**'],
    [0.91, ' reached'],
    [1.09, ' reached'],
    [1.11, '**not reached**'],
  ])('judges %d times the CPU of the small library with the large', (ratio, verdict) => {
    const figures = [['large', ratio] as const, ['small', 1] as const].map(([size, value]) => ({
      peer: `ours: ${GROWTH_ROWS[size]}`,
      name: 'cpuMicrosecondsPerRequest',
      value,
    }));
    const judged = row(formatTargets(new Map([['growth', figures]])), 'cost per request');
    expect(judged).toContain(`${ratio} x`);
    expect(judged).toContain(verdict);
  });

  it('wants to be above every Node peer, however far the classic stack is behind', () => {
    const node = { 'express-static': 2_000, 'fastify-static': 3_000, classic: 100 };
    const judge = (ours: number): string =>
      row(formatTargets(new Map([['64k', rates({ ...node, ours })]])), '64 KiB ranges');
    expect(judge(2_900)).toContain('29.0 x classic, 0.97 x the best Node peer');
    expect(judge(2_900)).toContain('**not reached**');
    expect(judge(3_100)).toMatch(/ reached *\|$/);
  });

  it('does not judge by half of the peers', () => {
    const targets = formatTargets(new Map([['64k', rates({ classic: 1, ours: 100 })]]));
    expect(row(targets, '64 KiB ranges')).toContain('not measured in this run');
  });
});
