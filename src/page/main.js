import { createApi, trackPath } from './api.js';
import { createCovers } from './covers.js';
import { QUALITIES, WAYS, withQuery } from './forms.js';
import { takeFragment } from './fragment.js';
import { listenToKeys } from './keyboard.js';
import { createMediaKeys } from './media-keys.js';
import { createNetworkLog } from './network-log.js';
import { createNotice } from './notice.js';
import { createPlayer } from './player.js';
import { createSeekBar } from './seek-bar.js';
import { createTokenDialog } from './token-dialog.js';
import { createTrackList } from './track-list.js';
import { createWorkerLink } from './worker-link.js';

const RESTART_SECONDS = 3;
/** By then this track needs the encoder less. */
const PREPARE_AFTER_SECONDS = 10;
const SEARCH_DELAY_MS = 200;
const WAVEFORM_POINTS = 800;

const find = (/** @type {string} */ id) => document.getElementById(id);
const audio = find('audio');

const log = createNetworkLog({
  rows: find('network-rows'),
  summary: find('network-summary'),
  clear: find('network-clear'),
});
const api = createApi({ record: log.record, askForToken: createTokenDialog(find('token-dialog')) });
const worker = createWorkerLink({ token: api.token, record: log.record });
const covers = createCovers(api);
const notice = createNotice(find('notice'), {
  retry: () => player.play(),
  takeover: () => player.play({ takeover: true }),
  original: () => {
    find('quality').value = 'original';
    player.setForm({ quality: QUALITIES[0] });
    player.play();
  },
  token: async () => {
    await api.renewToken();
    player.play();
  },
});
const player = createPlayer({
  audio,
  api,
  worker,
  hooks: {
    changed: showState,
    moved: showPlace,
    ended: () => void step(1, { isByItself: true }),
    refused: notice.refuse,
    noted: notice.note,
  },
});
const seekBar = createSeekBar({
  canvas: find('waveform'),
  input: find('seek'),
  elapsed: find('elapsed'),
  total: find('total'),
  onSeek: player.seek,
});
const list = createTrackList({
  elements: { list: find('tracks'), more: find('more'), count: find('count') },
  api,
  covers,
  onChoose: (track) => (player.state.track?.id === track.id ? toggle() : play(track)),
  onError: (error) => notice.refuse(error, waysOn(list.loadMore)),
});
const mediaKeys = createMediaKeys({
  play: () => player.play(),
  pause: () => player.pause(),
  stop: () => player.pause(),
  previoustrack: () => void step(-1),
  nexttrack: () => void step(1),
  seekbackward: ({ seekOffset = 10 }) => player.seek(player.position() - seekOffset),
  seekforward: ({ seekOffset = 10 }) => player.seek(player.position() + seekOffset),
  seekto: ({ seekTime }) => player.seek(seekTime),
});

function cue(track, startSeconds = 0) {
  notice.clear();
  player.cue(track, startSeconds);
  list.showCurrent(track.id);
  find('title').textContent = track.title;
  find('artist').textContent = track.artist;
  document.title = `${track.title} · TuneTON`;
  const cover = covers.find(track);
  find('cover').replaceChildren();
  covers.showLater(find('cover'), track);
  void mediaKeys.showTrack(track, cover);
  void showWaveform(track);
}

function play(track, startSeconds = 0) {
  cue(track, startSeconds);
  player.play();
  find('status').textContent = `Playing ${track.title} by ${track.artist}`;
}

function toggle() {
  if (player.state.isPlaying) player.pause();
  else player.play();
}

async function step(/** @type {1 | -1} */ by, { isByItself = false } = {}) {
  const { track } = player.state;
  if (!track) return;
  if (by < 0 && player.position() > RESTART_SECONDS) {
    player.seek(0);
    return;
  }
  const next = await list.neighbour(track.id, by);
  if (next) play(next);
  else if (!isByItself) player.seek(0);
}

async function showWaveform(track) {
  seekBar.setWaveform(undefined);
  const query = `points=${WAVEFORM_POINTS}&format=dat`;
  const response = await api
    .call(withQuery(`${trackPath(track.id)}/waveform`, query), { isQuiet: true })
    .catch(() => undefined);
  const data = await response?.arrayBuffer();
  if (data && player.state.track === track) seekBar.setWaveform(data);
}

function showState() {
  const { isPlaying, track } = player.state;
  find('player').dataset.state = player.isBuffering()
    ? 'waiting'
    : isPlaying
      ? 'playing'
      : 'paused';
  find('play').setAttribute('aria-label', isPlaying ? 'Pause' : 'Play');
  find('play-icon').setAttribute('href', isPlaying ? '#icon-pause' : '#icon-play');
  for (const id of ['play', 'previous', 'next']) find(id).disabled = !track;
  if (isPlaying && !player.isBuffering()) notice.playing();
  showPlace();
}

let preparedAfter;
/** One track ahead, so that the next begins at once. */
async function prepareNext(track) {
  const key = `${track.id}\n${player.state.quality.id}`;
  if (preparedAfter === key) return;
  preparedAfter = key;
  const next = await list.neighbour(track.id, 1);
  if (next) player.prepareNext(next);
}

function showPlace() {
  const { isPlaying, track } = player.state;
  if (!track) return;
  const [position, duration] = [player.position(), player.duration()];
  seekBar.show(position, duration);
  if (isPlaying && position > Math.min(PREPARE_AFTER_SECONDS, duration / 2))
    void prepareNext(track);
  mediaKeys.showState(isPlaying, position, duration);
}

function setVolume(/** @type {number} */ volume) {
  audio.volume = Math.min(1, Math.max(0, volume));
  find('volume').value = String(audio.volume);
  find('volume').setAttribute('aria-valuetext', `${Math.round(audio.volume * 100)} %`);
}

/** From a refusal of what was asked for beside the music. */
function waysOn(/** @type {() => unknown} */ again) {
  const token = async () => {
    await api.renewToken();
    await again();
  };
  return { retry: again, token };
}

function searchedText() {
  return find('search').value.trim();
}

async function begin() {
  const { token, trackId, startSeconds } = takeFragment();
  if (token !== undefined) api.setToken(token);
  if (token === undefined && api.token() === undefined) {
    notice.refuse({ code: 'unauthorized', status: 401 }, waysOn(begin));
    return;
  }
  const listed = list.find(searchedText());
  if (trackId !== undefined) {
    await api.json(`${trackPath(trackId)}/metadata`).then(
      (track) => cue(track, startSeconds),
      (error) => notice.refuse(error, waysOn(begin)),
    );
  }
  await listed;
}

function fillMenu(
  /** @type {HTMLSelectElement} */ menu,
  choices,
  /** @type {(id: string) => void} */ choose,
) {
  menu.append(...choices.map(({ id, name }) => new Option(name, id)));
  menu.addEventListener('change', () => {
    notice.clear();
    choose(menu.value);
  });
}

fillMenu(find('quality'), QUALITIES, (id) =>
  player.setForm({ quality: QUALITIES.find((quality) => quality.id === id) }),
);
fillMenu(find('way'), WAYS, (way) => player.setForm({ way }));
find('play').addEventListener('click', toggle);
find('previous').addEventListener('click', () => void step(-1));
find('next').addEventListener('click', () => void step(1));
find('volume').addEventListener('input', ({ target }) => setVolume(Number(target.value)));
find('help-button').addEventListener('click', () => find('help').showModal());
find('help-close').addEventListener('click', () => find('help').close());
find('token-button').addEventListener('click', () => {
  void api.changeToken().then(
    () => (player.state.track ? list.find(searchedText()) : begin()),
    () => undefined,
  );
});
find('search-form').addEventListener('submit', (event) => event.preventDefault());
let searchTimer;
find('search').addEventListener('input', () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(() => {
    if (api.token() !== undefined) void list.find(searchedText());
  }, SEARCH_DELAY_MS);
});
listenToKeys({
  toggle,
  seekBy: (seconds) => player.seek(player.position() + seconds),
  changeVolume: (change) => setVolume(audio.volume + change),
  moveFocus: list.moveFocus,
  search: () => find('search').focus(),
  help: () => find('help').showModal(),
});
// what has the focus in the list must not lie under the player
new ResizeObserver(([{ target }]) =>
  document.body.style.setProperty('--player-height', `${target.offsetHeight}px`),
).observe(find('player'));
addEventListener('hashchange', () => void begin());
showState();
void begin();
