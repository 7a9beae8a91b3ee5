import { formatArguments, type Container } from '../../../src/adapters/ffmpeg/command';

describe('formatArguments()', () => {
  it('says exactly this', () => {
    const args = formatArguments({
      container: 'mp4',
      seekOptions: ['-ss', '12.5'],
      filter: 'volume=1.00dB,aresample=44100',
      outputOptions: ['-c:a', 'libmp3lame', '-b:a', '128k'],
      muxer: 'mp3',
    });
    expect(args).toEqual([
      ...['-nostdin', '-hide_banner', '-v', 'error'],
      ...['-protocol_whitelist', 'file,pipe', '-format_whitelist', 'mov'],
      ...['-ss', '12.5', '-f', 'mov', '-i', 'file:/dev/fd/3'],
      ...['-filter:a', 'volume=1.00dB,aresample=44100'],
      ...['-map', '0:a:0', '-vn', '-sn', '-dn', '-map_metadata', '-1', '-map_chapters', '-1'],
      ...['-c:a', 'libmp3lame', '-b:a', '128k', '-flush_packets', '0'],
      ...['-f', 'mp3', 'pipe:1'],
    ]);
  });

  it.each<[Container, string]>([
    ['mp3', 'mp3'],
    ['flac', 'flac'],
    ['mp4', 'mov'],
    ['aac', 'aac'],
    ['ogg', 'ogg'],
    ['wav', 'wav'],
    ['aiff', 'aiff'],
    ['webm', 'matroska'],
    ['wma', 'asf'],
  ])('forces one demuxer for %s, and allows no other', (container, demuxer) => {
    const args = formatArguments({ container, outputOptions: [], muxer: 'null' });
    expect(args[args.indexOf('-format_whitelist') + 1]).toBe(demuxer);
    const input = args.indexOf('-i');
    expect(args.slice(input - 2, input)).toEqual(['-f', demuxer]);
    expect(args.filter((arg) => arg === '-i')).toHaveLength(1);
  });

  it('keeps a filter with commas and quotes in one argument, without a shell', () => {
    const filter = "aevalsrc='0':d=1,volume=2;[x]anull";
    const args = formatArguments({ container: 'mp3', filter, outputOptions: [], muxer: 'wav' });
    expect(args[args.indexOf('-filter:a') + 1]).toBe(filter);
  });

  it('lets ffmpeg say more where a filter reports', () => {
    const command = { container: 'mp3', outputOptions: [], muxer: 'null' } as const;
    const args = formatArguments({ ...command, logLevel: 'info' });
    expect(args[args.indexOf('-v') + 1]).toBe('info');
  });
});
