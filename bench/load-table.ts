import { type LoadSample } from './measure-load';
import { formatNumber, formatRatio, formatTable } from './markdown';
import { type Peer } from './peers/peer';
import { type Figure } from './scenarios/scenario';
import { median } from './statistics';

export interface PeerSamples {
  readonly peer: Peer;
  /** one a round */
  readonly samples: readonly LoadSample[];
}

const MEBIBYTE = 2 ** 20;

type Numbers = Omit<LoadSample, 'failures'>;

/** The medians of the rounds, peer by peer, beside nginx and the classic stack. */
export function formatLoadTable(measured: readonly PeerSamples[]): string {
  const rateOf = (kind: Peer['kind']): number | undefined => {
    const found = measured.find(({ peer }) => peer.kind === kind);
    return found && mediansOf(found.samples).requestsPerSecond;
  };
  // `ours`, unless other builds were chosen alone; of interest only beside another build
  const services = measured.filter(({ peer }) => peer.kind === 'service');
  const first = services.length > 1 ? services[0] : undefined;
  const firstRate = first && mediansOf(first.samples).requestsPerSecond;
  const rows = measured.map(({ peer, samples }) => {
    const each = mediansOf(samples);
    return [
      peer.name,
      formatNumber(each.requestsPerSecond),
      formatRatio(each.requestsPerSecond, rateOf('nginx')),
      formatRatio(each.requestsPerSecond, rateOf('classic')),
      ...(first ? [formatRatio(each.requestsPerSecond, firstRate)] : []),
      formatNumber(each.bytesPerSecond / MEBIBYTE),
      formatNumber(each.firstByteP50Ms),
      formatNumber(each.firstByteP99Ms),
      `${samples.reduce((sum, { probeSamples }) => sum + probeSamples, 0)}`,
      formatNumber(each.cpuSeconds),
      `${Math.round(each.busy * 100)} %`,
      formatNumber(each.cpuMicrosecondsPerRequest),
      formatNumber(Math.max(...samples.map(({ peakBytes }) => peakBytes)) / MEBIBYTE),
    ];
  });
  return formatTable(
    [
      'peer',
      'req/s',
      'to nginx',
      'to classic',
      ...(first ? [`to ${first.peer.name}`] : []),
      'MiB/s',
      'TTFB p50 ms',
      'TTFB p99 ms',
      'probes',
      'CPU s',
      'busy',
      'CPU us/req',
      'peak MiB',
    ],
    rows,
  );
}

/** What the targets ask for. */
export function figuresOf(measured: readonly PeerSamples[]): readonly Figure[] {
  return measured.flatMap(({ peer, samples }) =>
    Object.entries(mediansOf(samples)).map(([name, value]) => ({ peer: peer.name, name, value })),
  );
}

/** Where answers failed in spite of the check before; such a row is not to be believed. */
export function listFailures(measured: readonly PeerSamples[]): readonly string[] {
  return measured.flatMap(({ peer, samples }) =>
    [...new Set(samples.flatMap(({ failures }) => failures))].map(
      (failure) => `**${peer.name} failed under load: ${failure}**`,
    ),
  );
}

function mediansOf(samples: readonly LoadSample[]): Numbers {
  const of = (name: keyof Numbers): number => median(samples.map((sample) => sample[name]));
  return {
    requestsPerSecond: of('requestsPerSecond'),
    bytesPerSecond: of('bytesPerSecond'),
    firstByteP50Ms: of('firstByteP50Ms'),
    firstByteP99Ms: of('firstByteP99Ms'),
    probeSamples: of('probeSamples'),
    cpuSeconds: of('cpuSeconds'),
    busy: of('busy'),
    cpuMicrosecondsPerRequest: of('cpuMicrosecondsPerRequest'),
    peakBytes: of('peakBytes'),
  };
}
