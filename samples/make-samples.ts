/**
 * Makes the tracks of this folder: `npx ts-node --transpile-only samples/make-samples.ts`.
 * Needs ffmpeg with libmp3lame, libvorbis and libopus. The sound is computed here, to the same
 * samples on every machine; equal files come from an equal ffmpeg (those in git are from 5.1).
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

import {
  bell,
  type Note,
  pad,
  pitch,
  play,
  pluck,
  sampleRateHz,
  type Stereo,
  toPcm,
  type Voice,
} from './synth';

interface Track {
  readonly file: string;
  readonly sound: Stereo;
  readonly encode: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  readonly cover?: boolean;
}

/** One chord after the other, each broken into its notes from left to right. */
function arpeggio(
  voice: Voice,
  chords: readonly (readonly number[])[],
  rhythm: { readonly stepSeconds: number; readonly ringSeconds: number },
): Stereo {
  const { stepSeconds, ringSeconds } = rhythm;
  const notes = chords.flat().map((midiNote, i): Note => ({
    atSeconds: 0.05 + i * stepSeconds,
    lastsSeconds: ringSeconds,
    pitchHz: pitch(midiNote),
    // a little weight on every fourth step gives the row a pulse
    gain: i % 4 === 0 ? 1 : 0.7,
    pan: 0.7 * Math.sin(i * 1.1),
  }));
  return play(voice, notes, notes.length * stepSeconds + ringSeconds);
}

/** Whole chords that overlap, for the pad. */
function chorale(chords: readonly (readonly number[])[], everySeconds: number): Stereo {
  const notes = chords.flatMap((chord, i) =>
    chord.map((midiNote, voiceNumber): Note => ({
      atSeconds: i * everySeconds,
      lastsSeconds: everySeconds * 1.6,
      pitchHz: pitch(midiNote),
      gain: 0.5,
      pan: (voiceNumber / (chord.length - 1)) * 1.2 - 0.6,
    })),
  );
  return play(pad, notes, (chords.length + 0.6) * everySeconds);
}

const firstLight = {
  title: 'First Light',
  artist: 'Glass Harbour',
  album: 'Small Hours',
  album_artist: 'Glass Harbour',
  date: '2026',
  genre: 'Ambient',
  track: '1/4',
};

const nightFerry = { ...firstLight, album: 'Night Ferry', genre: 'Electronic' };

const tracks: readonly Track[] = [
  {
    file: 'first-light.mp3',
    sound: arpeggio(
      pluck,
      [
        [60, 64, 67, 71, 74, 71, 67, 64],
        [57, 60, 64, 67, 71, 67, 64, 60],
        [53, 57, 60, 64, 67, 64, 60, 57],
        [55, 59, 62, 65, 69, 65, 62, 59],
        [60, 67, 72],
      ],
      { stepSeconds: 0.28, ringSeconds: 2.4 },
    ),
    encode: ['-c:a', 'libmp3lame', '-b:a', '128k', '-id3v2_version', '3'],
    tags: firstLight,
  },
  {
    file: 'Glass Harbour/Night Ferry/01 Leaving Port.flac',
    sound: chorale(
      [
        [45, 57, 60, 64, 67],
        [41, 53, 60, 64, 69],
        [48, 55, 59, 64, 67],
        [43, 55, 59, 62, 69],
      ],
      2.4,
    ),
    encode: ['-c:a', 'flac', '-sample_fmt', 's16', '-compression_level', '12'],
    tags: { ...nightFerry, title: 'Leaving Port', track: '1/2' },
    cover: true,
  },
  {
    file: 'Glass Harbour/Night Ferry/02 Slow Water.m4a',
    sound: arpeggio(
      pluck,
      [
        [50, 57, 62, 65, 69, 65],
        [46, 53, 58, 62, 65, 62],
        [41, 53, 57, 60, 65, 60],
        [48, 55, 60, 64, 67, 64],
        [50, 57, 62],
      ],
      { stepSeconds: 0.36, ringSeconds: 3 },
    ),
    encode: ['-c:a', 'aac', '-b:a', '128k', '-movflags', '+faststart'],
    tags: { ...nightFerry, title: 'Slow Water', track: '2/2' },
    cover: true,
  },
  {
    file: '夜明けの鈴.ogg',
    // the in-sen scale: D, Eb, G, A, C
    sound: arpeggio(
      bell,
      [
        [74, 79, 81, 84],
        [86, 84, 81, 79],
        [75, 74, 69, 67],
        [69, 74, 79, 86],
      ],
      { stepSeconds: 0.5, ringSeconds: 3.5 },
    ),
    encode: ['-c:a', 'libvorbis', '-q:a', '4'],
    tags: {
      title: '夜明けの鈴',
      artist: 'ガラスの港',
      album: '小さな時間',
      album_artist: 'ガラスの港',
      date: '2026',
      genre: '環境音楽',
      track: '2/4',
    },
  },
  {
    file: 'Paper Lanterns.opus',
    sound: arpeggio(
      bell,
      [
        [72, 76, 79, 83],
        [69, 72, 76, 79],
        [65, 69, 72, 76],
        [67, 71, 74, 79, 84],
      ],
      { stepSeconds: 0.42, ringSeconds: 3 },
    ),
    encode: ['-c:a', 'libopus', '-b:a', '96k'],
    tags: { ...firstLight, title: 'Paper Lanterns', track: '3/4' },
  },
  {
    file: 'Small Bell.wav',
    sound: arpeggio(bell, [[79, 83, 86]], { stepSeconds: 0.3, ringSeconds: 2.6 }),
    // half the rate halves the only track that is not compressed
    encode: ['-c:a', 'pcm_s16le', '-ar', '24000'],
    tags: { ...firstLight, title: 'Small Bell', track: '4/4' },
  },
  {
    file: 'Тихий вечер.aac',
    sound: chorale(
      [
        [52, 59, 64, 67],
        [48, 60, 64, 67],
        [50, 57, 62, 66],
        [52, 59, 64, 71],
      ],
      2,
    ),
    encode: ['-c:a', 'aac', '-b:a', '96k', '-write_id3v2', '1'],
    tags: {
      title: 'Тихий вечер',
      artist: 'Стеклянная гавань',
      album: 'Письма',
      album_artist: 'Стеклянная гавань',
      date: '2026',
      genre: 'Эмбиент',
      track: '1/1',
    },
  },
  {
    file: 'Postcard.webm',
    sound: arpeggio(
      pluck,
      [
        [64, 67, 71, 76],
        [62, 66, 69, 74],
        [60, 64, 67, 72],
        [59, 62, 66, 71, 76],
      ],
      { stepSeconds: 0.24, ringSeconds: 2.2 },
    ),
    encode: ['-c:a', 'libopus', '-b:a', '96k'],
    tags: { ...firstLight, title: 'Postcard', album: 'Singles', track: '1/1' },
  },
];

/** Without -bitexact every run writes other serial numbers and its own version into the files. */
const bitexact = ['-fflags', '+bitexact', '-flags:v', '+bitexact', '-flags:a', '+bitexact'];

function ffmpeg(args: readonly string[], input?: Buffer): void {
  const { error, status, stderr } = spawnSync('ffmpeg', ['-v', 'error', '-y', ...args], { input });
  if (error ?? status !== 0) {
    throw new Error(`ffmpeg failed: ${error?.message ?? stderr.toString()}`);
  }
}

/** A moon over water, as a small JPEG. */
function paintCover(file: string): void {
  const moon = 'lt(hypot(X-150,Y-105),46)';
  const glitter = 'gt(Y,190)*lt(abs(X-150),12+(Y-190)/2)*lt(mod(Y,9),4)';
  const channel = (sky: number, sea: number, light: number): string =>
    `if(gt(${moon}+${glitter},0),${light},if(gt(Y,190),${sea}-(Y-190)/5,${sky}+Y/4))`;
  const paint = `geq=r='${channel(20, 24, 240)}':g='${channel(24, 52, 226)}':b='${channel(64, 84, 190)}'`;
  const canvas = 'color=black:s=300x300:d=1,format=rgb24';
  ffmpeg([
    '-f',
    'lavfi',
    '-i',
    `${canvas},${paint}`,
    '-frames:v',
    '1',
    '-q:v',
    '4',
    ...bitexact,
    file,
  ]);
}

function encode(track: Track, coverFile: string): void {
  const file = join(__dirname, track.file);
  mkdirSync(dirname(file), { recursive: true });
  const picture = ['-i', coverFile, '-map', '0:a', '-map', '1:v', '-c:v', 'copy'];
  ffmpeg(
    [
      ...['-f', 's16le', '-ar', `${sampleRateHz}`, '-ac', '2', '-i', 'pipe:0'],
      ...(track.cover ? [...picture, '-disposition:v', 'attached_pic'] : []),
      ...track.encode,
      ...Object.entries(track.tags).flatMap(([name, value]) => ['-metadata', `${name}=${value}`]),
      ...bitexact,
      file,
    ],
    toPcm(track.sound),
  );
  process.stdout.write(`${relative(process.cwd(), file)}\n`);
}

const workDir = mkdtempSync(join(tmpdir(), 'samples-'));
try {
  const coverFile = join(workDir, 'cover.jpg');
  paintCover(coverFile);
  for (const track of tracks) {
    encode(track, coverFile);
  }
} finally {
  rmSync(workDir, { recursive: true });
}
