import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type ServiceBuild } from './peers/service';

export interface Options {
  /** `ours` first, then what `--service` adds */
  readonly services: readonly ServiceBuild[];
  /** names of scenarios; undefined for all */
  readonly only: ReadonlySet<string> | undefined;
  /** names of peers; undefined for all */
  readonly peers: ReadonlySet<string> | undefined;
  readonly rounds: number;
  /** of each measurement */
  readonly seconds: number;
  /** smaller libraries, shorter waits: for a look, not for a result */
  readonly isQuick: boolean;
  readonly outputFile: string | undefined;
}

/** Names every argument that is wrong; the message is for whoever typed it. */
export class OptionsError extends Error {
  override readonly name = 'OptionsError';
}

export const USAGE = `npm run bench -- [options]
  --only a,b              scenarios to run
  --peers a,b             peers to run; 'ours' is the build of this working copy
  --service name=dist     one more build of the service, in the same rounds; several allowed
  --env name:KEY=VALUE    a variable for one build of the service; several allowed
  --rounds n              rounds of each measurement (3; quick: 1)
  --seconds n             length of each measurement (4; quick: 1)
  --quick                 a sanity look of about three minutes
  --output file           write the results there too, as markdown`;

/** @throws OptionsError */
export function parseOptions(argv: readonly string[], oursDir: string): Options {
  const values = readValues(argv);
  const isQuick = values.quick ?? false;
  const builds = [{ name: 'ours', distDir: oursDir }, ...(values.service ?? []).map(parseService)];
  const variables = (values.env ?? []).map(parseVariable);
  const names = builds.map(({ name }) => name);
  const stranger = variables.find(({ service }) => !names.includes(service));
  if (stranger) throw new OptionsError(`--env: there is no service ${stranger.service}`);
  if (new Set(names).size < names.length) throw new OptionsError('--service: a name is used twice');

  return {
    services: builds.map((build) => ({
      ...build,
      env: Object.fromEntries(
        variables
          .filter(({ service }) => service === build.name)
          .map(({ key, value }) => [key, value]),
      ),
    })),
    only: parseNames(values.only),
    peers: parseNames(values.peers),
    rounds: parseCount('--rounds', values.rounds, isQuick ? 1 : 3),
    seconds: parseCount('--seconds', values.seconds, isQuick ? 1 : 4),
    isQuick,
    outputFile: values.output,
  };
}

function readValues(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        only: { type: 'string' },
        peers: { type: 'string' },
        service: { type: 'string', multiple: true },
        env: { type: 'string', multiple: true },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        quick: { type: 'boolean' },
        output: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new OptionsError(error instanceof Error ? error.message : String(error));
  }
}

function parseService(text: string): { name: string; distDir: string } {
  const [, name, distDir] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || distDir === undefined) {
    throw new OptionsError(`--service ${text}: must be name=path/to/dist`);
  }
  return { name, distDir: resolve(distDir) };
}

function parseVariable(text: string): { service: string; key: string; value: string } {
  const [, service, key, value] = /^([\w.-]+):(\w+)=(.*)$/.exec(text) ?? [];
  if (service === undefined || key === undefined || value === undefined) {
    throw new OptionsError(`--env ${text}: must be name:KEY=VALUE`);
  }
  return { service, key, value };
}

function parseNames(text: string | undefined): ReadonlySet<string> | undefined {
  return text === undefined ? undefined : new Set(text.split(',').map((name) => name.trim()));
}

function parseCount(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw new OptionsError(`${name} ${text}: must be a whole number from 1 to 9999`);
  }
  return Number(text);
}
