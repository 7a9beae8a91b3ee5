import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { READY_TRACK_ID, type Peer } from './peer';

/** The tracks by URL out of one worker with sendfile, its access log in a file. */
export function createNginx(authorization: string): Peer {
  return {
    name: 'nginx',
    kind: 'nginx',
    description: 'nginx, 1 worker, sendfile, access log; no authentication, no limit',
    authorization,
    readyPath: `/${READY_TRACK_ID}.mp3`,
    pathOf: (trackId) => `/${encodeURIComponent(trackId)}.mp3`,
    launch({ port, libraryDir, scratchDir }) {
      const prefix = join(scratchDir, 'nginx');
      mkdirSync(prefix, { recursive: true });
      const file = join(prefix, `nginx-${port}.conf`);
      writeFileSync(file, formatConfiguration({ port, libraryDir, prefix }));
      return { command: 'nginx', args: ['-p', prefix, '-e', 'stderr', '-c', file], env: {} };
    },
  };
}

interface Settings {
  readonly port: number;
  readonly libraryDir: string;
  readonly prefix: string;
}

function formatConfiguration({ port, libraryDir, prefix }: Settings): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${prefix}/${name};`)
    .join('\n');
  return `
daemon off;
# the worker of a root would be somebody who cannot look into the temporary folder
user ${userInfo().username};
worker_processes 1;
pid ${prefix}/nginx-${port}.pid;
events { worker_connections 19000; }
http {
  types { audio/mpeg mp3; }
  # without tcp_nopush, as is its default: on loopback it held the end of each answer back for
  # 30 ms, 880 ranges of 64 KiB a second instead of more than 8,000
  sendfile on;
  keepalive_timeout 75s;
  # the default closes a connection after 1000 requests, and wrk does nothing but open new ones
  keepalive_requests 100000000;
  access_log ${prefix}/access-${port}.log;
${temporary}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${libraryDir};
  }
}
`;
}
