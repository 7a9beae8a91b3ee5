import { type BenchTrack } from './library';
import { type Peer } from './peers/peer';
import { createRandom, drawInteger, drawOne, type Random } from './random';

/** What a listener wants, said so that it can be asked of every peer in the peer's own words. */
export type WantedRequest =
  | { readonly kind: 'ready' }
  | { readonly kind: 'metadata'; readonly trackId: string }
  | { readonly kind: 'whole'; readonly trackId: string; readonly ifNoneMatch?: string }
  | {
      readonly kind: 'range';
      readonly trackId: string;
      readonly firstPos: number;
      /** inclusive; absent: to the end */
      readonly lastPos?: number;
    };

export interface RequestParts {
  readonly path: string;
  /** value of Range, or empty */
  readonly range: string;
  /** value of If-None-Match, or empty */
  readonly ifNoneMatch: string;
}

/** @throws when the peer has no such address */
export function partsOf(peer: Peer, wanted: WantedRequest): RequestParts {
  switch (wanted.kind) {
    case 'ready':
      return { path: peer.readyPath, range: '', ifNoneMatch: '' };
    case 'metadata':
      if (!peer.metadataPathOf) throw new Error(`${peer.name} has no metadata`);
      return { path: peer.metadataPathOf(wanted.trackId), range: '', ifNoneMatch: '' };
    case 'whole':
      return {
        path: peer.pathOf(wanted.trackId),
        range: '',
        ifNoneMatch: wanted.ifNoneMatch ?? '',
      };
    case 'range':
      return {
        path: peer.pathOf(wanted.trackId),
        range: `bytes=${wanted.firstPos}-${wanted.lastPos ?? ''}`,
        ifNoneMatch: '',
      };
  }
}

/** The bytes of the request on the wire. */
export function formatRequest(peer: Peer, wanted: WantedRequest): string {
  const { path, range, ifNoneMatch } = partsOf(peer, wanted);
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Authorization: ${peer.authorization}`,
    ...(range === '' ? [] : [`Range: ${range}`]),
    ...(ifNoneMatch === '' ? [] : [`If-None-Match: ${ifNoneMatch}`]),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Ranges of one length anywhere in a track. */
export function drawRange(random: Random, track: BenchTrack, rangeBytes: number): WantedRequest {
  const firstPos = drawInteger(random, track.lengthBytes - rangeBytes + 1);
  return { kind: 'range', trackId: track.id, firstPos, lastPos: firstPos + rangeBytes - 1 };
}

/** Draws as many as it takes that a repetition finds nothing warm because of it. */
export function drawRanges(
  tracks: readonly BenchTrack[],
  rangeBytes: number,
  { count = 4096, seed = 1 } = {},
): readonly WantedRequest[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () =>
    drawRange(random, drawOne(random, tracks), rangeBytes),
  );
}
