/** In every library there is a small track of this id, which tells that a peer is up. */
export const READY_TRACK_ID = 'ready';

/** What a peer is told when it is started. */
export interface LaunchContext {
  readonly port: number;
  readonly libraryDir: string;
  /** for configuration and logs; removed after the run */
  readonly scratchDir: string;
  readonly redisSocket: string;
}

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** all of its environment but PATH */
  readonly env: Readonly<Record<string, string>>;
}

/** A server that can be asked for the same tracks as the others. */
export interface Peer {
  readonly name: string;
  /** nginx is what all are measured against, classic what ours is to leave behind */
  readonly kind: 'nginx' | 'node' | 'classic' | 'service';
  /** what it runs, for the reader of the results */
  readonly description: string;
  /** value of the Authorization field; sent to all, looked at by some */
  readonly authorization: string;
  /** answers 200 as soon as the peer is up */
  readonly readyPath: string;
  pathOf(trackId: string): string;
  /** undefined where the peer has no metadata to offer */
  readonly metadataPathOf?: (trackId: string) => string;
  launch(context: LaunchContext): Launch;
}
