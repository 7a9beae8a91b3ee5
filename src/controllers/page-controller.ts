import { readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { type RequestHandler } from 'express';
import { createAssetController } from './asset-controller';

const PAGE_FOLDER = join(__dirname, '../page');

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** What stands in `src/page`; the build copies it beside the compiled service. */
export const PAGE_FILES = [
  'index.html',
  'player.css',
  'icon.svg',
  'api.js',
  'covers.js',
  'element-source.js',
  'forms.js',
  'fragment.js',
  'held-playback.js',
  'hls-source.js',
  'keyboard.js',
  'main.js',
  'media-keys.js',
  'media-source.js',
  'network-log.js',
  'notice.js',
  'pieces.js',
  'playback.js',
  'player.js',
  'reports.js',
  'seek-bar.js',
  'sources.js',
  'sw.js',
  'times.js',
  'token-dialog.js',
  'track-list.js',
  'words.js',
  'worker-link.js',
] as const;

/** ES modules of libraries, by the name that the page imports. */
const LIBRARY_FILES = {
  'hls.js': 'hls.js/dist/hls.light.min.mjs',
  'waveform-data.js': 'waveform-data/dist/waveform-data.esm.js',
} as const;

/** The player page and all it loads, by address: these files, and nothing else of the disk. */
export function createPageControllers(): Readonly<Record<string, RequestHandler>> {
  const controllers: Record<string, RequestHandler> = {};
  for (const name of PAGE_FILES) {
    const address = name === 'index.html' ? '/' : `/player/${name}`;
    controllers[address] = serveFile(() => join(PAGE_FOLDER, name), name);
  }
  for (const [name, file] of Object.entries(LIBRARY_FILES)) {
    controllers[`/player/${name}`] = serveFile(() => require.resolve(file), file);
  }
  return controllers;
}

function serveFile(locate: () => string, name: string): RequestHandler {
  return createAssetController({
    mediaType: MEDIA_TYPES[extname(name)] ?? 'application/octet-stream',
    load: () => readFile(locate()),
  });
}
