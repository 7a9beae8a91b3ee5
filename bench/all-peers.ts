import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Machine } from './machine';
import { OptionsError, type Options } from './options';
import { createAuthorization } from './peers/bench-token';
import { createNginx } from './peers/nginx';
import { createClassicStack, createExpressStatic, createFastifyStatic } from './peers/node-peers';
import { type Peer } from './peers/peer';
import { createService } from './peers/service';

export interface ChosenPeers {
  /** in the order of a round */
  readonly peers: readonly Peer[];
  /** one line for each that could not be had */
  readonly missing: readonly string[];
}

/** With the reason why it cannot be had. */
type Candidate = readonly [peer: Peer, reason?: string | undefined];

/** @throws OptionsError for a name that no peer has */
export function choosePeers(options: Options, machine: Machine): ChosenPeers {
  const authorization = createAuthorization();
  const candidates: readonly Candidate[] = [
    [createNginx(authorization), lacks(machine, 'nginx')],
    [createExpressStatic(authorization)],
    [createFastifyStatic(authorization), lacks(machine, '@fastify/static')],
    [createClassicStack(authorization)],
    ...options.services.map((build): Candidate => [
      createService(build, authorization),
      existsSync(join(build.distDir, 'index.js')) ? undefined : `no index.js in its folder`,
    ]),
  ];
  const names = candidates.map(([{ name }]) => name);
  const strangers = [...(options.peers ?? [])].filter((name) => !names.includes(name));
  if (strangers.length > 0) {
    throw new OptionsError(`--peers: no ${strangers.join(', ')}; there is ${names.join(', ')}`);
  }
  const chosen = candidates.filter(([{ name }]) => options.peers?.has(name) ?? true);
  return {
    peers: chosen.filter(([, reason]) => reason === undefined).map(([peer]) => peer),
    missing: chosen.flatMap(([{ name }, reason]) =>
      reason === undefined ? [] : [`${name} is missing: ${reason}`],
    ),
  };
}

function lacks({ missing }: Machine, program: string): string | undefined {
  return missing.has(program) ? `${program} is not installed` : undefined;
}
