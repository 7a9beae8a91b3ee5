import { OptionsError, parseOptions } from '../../../bench/options';

const parse = (...argv: string[]) => parseOptions(argv, '/ours/dist');

describe('parseOptions()', () => {
  it('measures this working copy, everything, in three rounds, unless told', () => {
    expect(parse()).toEqual({
      services: [{ name: 'ours', distDir: '/ours/dist', env: {} }],
      only: undefined,
      peers: undefined,
      rounds: 3,
      seconds: 4,
      isQuick: false,
      outputFile: undefined,
    });
  });

  it('adds builds behind ours, each with its own variables', () => {
    const { services } = parse(
      ...['--service', 'before=/old/dist', '--service', 'off=/ours/dist'],
      ...['--env', 'off:SWITCH=false', '--env', 'ours:URL=a=b:c'],
    );
    expect(services).toEqual([
      { name: 'ours', distDir: '/ours/dist', env: { URL: 'a=b:c' } },
      { name: 'before', distDir: '/old/dist', env: {} },
      { name: 'off', distDir: '/ours/dist', env: { SWITCH: 'false' } },
    ]);
  });

  it('takes one short round when it is quick, and still what it is told', () => {
    expect(parse('--quick')).toMatchObject({ isQuick: true, rounds: 1, seconds: 1 });
    expect(parse('--quick', '--rounds', '2', '--only', '64k, 1m')).toMatchObject({
      rounds: 2,
      only: new Set(['64k', '1m']),
    });
  });

  it.each([
    [['--rounds', '0'], '--rounds 0'],
    [['--seconds', 'many'], '--seconds many'],
    [['--service', 'before'], 'name=path/to/dist'],
    [['--service', 'ours=/old/dist'], 'used twice'],
    [['--env', 'ours:SWITCH'], 'name:KEY=VALUE'],
    [['--env', 'other:A=b'], 'there is no service other'],
    [['--unknown'], '--unknown'],
  ])('refuses %j', (argv, message) => {
    expect(() => parse(...argv)).toThrow(OptionsError);
    expect(() => parse(...argv)).toThrow(message);
  });
});
