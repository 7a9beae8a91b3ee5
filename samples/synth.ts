/** Samples a second; Opus works in 48 kHz anyway and the others do not mind. */
export const sampleRateHz = 48_000;

/** Two channels of equal length, in samples between -1 and 1. */
export interface Stereo {
  readonly left: Float64Array;
  readonly right: Float64Array;
}

/** One sounding note; `gain` is its peak, `pan` goes from -1 (left) to 1 (right). */
export interface Note {
  readonly atSeconds: number;
  readonly lastsSeconds: number;
  readonly pitchHz: number;
  readonly gain: number;
  readonly pan: number;
}

/** Amplitude of an instrument `t` seconds after its note began; 0 before and after it. */
export type Voice = (note: Note) => (t: number) => number;

/** The pitch of a MIDI note number, in equal temperament with A4 (69) at 440 Hz. */
export function pitch(midiNote: number): number {
  return 440 * 2 ** ((midiNote - 69) / 12);
}

/** A struck bell: partials that are not multiples of the pitch, the high ones gone first. */
export const bell: Voice = ({ pitchHz, lastsSeconds }) => {
  const partials = [
    { ratio: 0.5, level: 0.2, decay: 3 },
    { ratio: 1, level: 0.55, decay: 5 },
    { ratio: 2.76, level: 0.16, decay: 9 },
    { ratio: 5.4, level: 0.06, decay: 16 },
  ];
  return (t) =>
    struck(t, lastsSeconds) *
    partials.reduce(
      (sum, { ratio, level, decay }) =>
        sum + level * Math.exp((-decay * t) / lastsSeconds) * sine(pitchHz * ratio * t),
      0,
    );
};

/** A plucked string: harmonics that fade the faster the higher they are. */
export const pluck: Voice = ({ pitchHz, lastsSeconds }) => {
  const harmonics = [1, 2, 3, 4, 5, 6];
  return (t) =>
    struck(t, lastsSeconds) *
    harmonics.reduce(
      (sum, n) =>
        sum + (0.6 / n ** 1.6) * Math.exp((-(2 + n) * t) / lastsSeconds) * sine(pitchHz * n * t),
      0,
    );
};

/** A slow pad: two sines that beat against each other, with their octave, swelling and ebbing. */
export const pad: Voice = ({ pitchHz, lastsSeconds }) => {
  const swellSeconds = lastsSeconds * 0.4;
  return (t) => {
    const envelope = Math.min(1, t / swellSeconds, (lastsSeconds - t) / swellSeconds);
    const tone = sine(pitchHz * t) + sine(pitchHz * 1.003 * t) + 0.3 * sine(pitchHz * 2 * t);
    return 0.4 * Math.sin((Math.PI / 2) * envelope) ** 2 * tone;
  };
};

/** Plays notes into two channels of that length: with an echo, a fade at both ends, peak -3 dBFS. */
export function play(voice: Voice, notes: readonly Note[], durationSeconds: number): Stereo {
  const length = Math.round(durationSeconds * sampleRateHz);
  const sound: Stereo = { left: new Float64Array(length), right: new Float64Array(length) };
  for (const note of notes) {
    mix(sound, voice, note);
  }
  addEcho(sound);
  fadeAndLevel(sound);
  return sound;
}

/** Interleaves the channels as 16-bit little-endian samples, which is what a WAV file holds. */
export function toPcm({ left, right }: Stereo): Buffer {
  const pcm = Buffer.alloc(left.length * 4);
  left.forEach((sample, i) => {
    pcm.writeInt16LE(Math.round(sample * 32_767), i * 4);
    pcm.writeInt16LE(Math.round((right[i] ?? 0) * 32_767), i * 4 + 2);
  });
  return pcm;
}

function sine(turns: number): number {
  return Math.sin(2 * Math.PI * turns);
}

/** An attack of 4 ms, so that nothing clicks, and a last tenth that goes down to silence. */
function struck(t: number, lastsSeconds: number): number {
  return Math.min(1, t / 0.004, (lastsSeconds - t) / (lastsSeconds * 0.1));
}

function mix({ left, right }: Stereo, voice: Voice, note: Note): void {
  const sound = voice(note);
  const first = Math.round(note.atSeconds * sampleRateHz);
  const end = Math.min(left.length, first + Math.floor(note.lastsSeconds * sampleRateHz));
  // equal power: a note keeps its loudness wherever it is panned
  const angle = ((note.pan + 1) * Math.PI) / 4;
  for (let i = first; i < end; i += 1) {
    const sample = note.gain * sound((i - first) / sampleRateHz);
    left[i] = (left[i] ?? 0) + sample * Math.cos(angle);
    right[i] = (right[i] ?? 0) + sample * Math.sin(angle);
  }
}

/** A ping-pong echo: what sounds on one side comes back softer on the other. */
function addEcho({ left, right }: Stereo): void {
  const delay = Math.round(0.31 * sampleRateHz);
  const feedback = 0.32;
  for (let i = delay; i < left.length; i += 1) {
    left[i] = (left[i] ?? 0) + feedback * (right[i - delay] ?? 0);
    right[i] = (right[i] ?? 0) + feedback * (left[i - delay] ?? 0);
  }
}

function fadeAndLevel({ left, right }: Stereo): void {
  const fadeIn = 0.02 * sampleRateHz;
  const fadeOut = 1.2 * sampleRateHz;
  const peak = left.reduce((max, x, i) => Math.max(max, Math.abs(x), Math.abs(right[i] ?? 0)), 0);
  for (const channel of [left, right]) {
    channel.forEach((sample, i) => {
      const fade = Math.min(1, i / fadeIn, (channel.length - 1 - i) / fadeOut);
      channel[i] = (sample * fade * 0.7) / peak;
    });
  }
}
