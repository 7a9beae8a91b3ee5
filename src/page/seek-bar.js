import WaveformData from '/player/waveform-data.js';
import { formatTime, speakTime } from './times.js';

const BAR_PIXELS = 3;
const GAP_PIXELS = 1;
/** What silence looks like, and a track whose peaks are not known. */
const LEAST_HEIGHT = 0.06;

/**
 * The waveform with the elapsed part coloured, under a range input that does the seeking: it has
 * keyboard, touch and screen reader use from the browser.
 *
 * @param {object} deps
 * @param {HTMLCanvasElement} deps.canvas
 * @param {HTMLInputElement} deps.input
 * @param {HTMLElement} deps.elapsed
 * @param {HTMLElement} deps.total
 * @param {(seconds: number) => void} deps.onSeek
 */
export function createSeekBar({ canvas, input, elapsed, total, onSeek }) {
  let position = 0;
  let duration = 0;
  /** @type {number[]} heights from 0 to 1 */
  let peaks = [];
  let isDragged = false;

  function show() {
    input.max = String(duration);
    input.value = String(position);
    input.setAttribute('aria-valuetext', `${speakTime(position)} of ${speakTime(duration)}`);
    elapsed.textContent = formatTime(position);
    total.textContent = formatTime(duration > 0 ? duration : null);
    draw();
  }

  function draw() {
    const { clientWidth: width, clientHeight: height } = canvas;
    const ratio = devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext('2d');
    context.scale(ratio, ratio);
    const style = getComputedStyle(canvas);
    const colours = [style.getPropertyValue('--accent'), style.getPropertyValue('--wave')];
    const step = BAR_PIXELS + GAP_PIXELS;
    const bars = Math.floor(width / step);
    const elapsedPixels = duration > 0 ? (position / duration) * width : 0;
    for (let i = 0; i < bars; i += 1) {
      const size = Math.max(LEAST_HEIGHT, heightOf(i, bars)) * height;
      context.fillStyle = i * step < elapsedPixels ? colours[0] : colours[1];
      context.beginPath();
      context.roundRect(i * step, (height - size) / 2, BAR_PIXELS, size, BAR_PIXELS / 2);
      context.fill();
    }
  }

  /** The highest of the peaks that this bar stands for. */
  function heightOf(bar, bars) {
    const from = Math.floor((bar / bars) * peaks.length);
    const to = Math.max(from + 1, Math.floor(((bar + 1) / bars) * peaks.length));
    return Math.max(0, ...peaks.slice(from, to));
  }

  input.addEventListener('input', () => {
    isDragged = true;
    position = Number(input.value);
    show();
  });
  input.addEventListener('change', () => {
    isDragged = false;
    onSeek(Number(input.value));
  });
  new ResizeObserver(draw).observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);

  return {
    show(/** @type {number} */ seconds, /** @type {number} */ durationSeconds) {
      if (isDragged) return;
      position = seconds;
      duration = Number.isFinite(durationSeconds) ? durationSeconds : 0;
      input.disabled = duration === 0;
      show();
    },
    /** @param {ArrayBuffer | undefined} data in audiowaveform's binary format */
    setWaveform(data) {
      peaks = data ? readPeaks(data) : [];
      draw();
    },
  };
}

/** The louder of each pair, as part of the loudest of all: soft tracks show their shape too. */
function readPeaks(/** @type {ArrayBuffer} */ data) {
  const channel = WaveformData.create(data).channel(0);
  const lows = channel.min_array();
  const heights = channel.max_array().map((high, i) => Math.max(Math.abs(high), Math.abs(lows[i])));
  const loudest = heights.reduce((most, height) => Math.max(most, height), 1);
  return heights.map((height) => height / loudest);
}
