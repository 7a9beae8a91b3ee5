const MOST_ROWS = 200;
/** Told by whoever sent them, with more than the browser's own records have. */
const TOLD_OTHERWISE = new Set(['fetch']);
const PLAYBACK_ID = /(?<=\/playback)\/[\w-]{22}/;

/**
 * What the network did: own requests and those of the Service Worker as they are told, those of the
 * audio element and of hls.js as the browser records them, which shows no ranges.
 *
 * @param {{ rows: HTMLElement, summary: HTMLElement, clear: HTMLElement }} elements
 */
export function createNetworkLog({ rows, summary, clear }) {
  let count = 0;
  let bytes = 0;

  function record(request) {
    count += 1;
    bytes += request.bytes ?? 0;
    rows.prepend(describeRow(request));
    while (rows.childElementCount > MOST_ROWS) rows.lastElementChild.remove();
    showSummary();
  }

  function showSummary() {
    summary.textContent = `${count} request${count === 1 ? '' : 's'}, ${formatBytes(bytes)}`;
  }

  observeElements(record);
  clear.addEventListener('click', () => {
    rows.replaceChildren();
    count = 0;
    bytes = 0;
    showSummary();
  });
  return { record };
}

function observeElements(record) {
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const isOurs = new URL(entry.name).pathname.startsWith('/api/');
      if (!isOurs || TOLD_OTHERWISE.has(entry.initiatorType) || entry.workerStart > 0) continue;
      record({
        by: entry.initiatorType === 'xmlhttprequest' ? 'hls.js' : entry.initiatorType,
        method: 'GET',
        url: entry.name,
        status: entry.responseStatus || undefined,
        bytes: entry.encodedBodySize,
        firstByteMs: entry.responseStart > 0 ? entry.responseStart - entry.startTime : undefined,
      });
    }
    // the browser keeps 250 of them, and no more after that
    performance.clearResourceTimings();
  });
  observer.observe({ type: 'resource' });
}

function describeRow({ by, method, url, range, status, contentRange, bytes, firstByteMs }) {
  const row = document.createElement('tr');
  if (status >= 400) row.className = 'failed';
  const cells = [
    by,
    method,
    shorten(url),
    status ?? '',
    bytes === undefined ? '' : formatBytes(bytes),
    firstByteMs === undefined ? '' : `${Math.round(firstByteMs)} ms`,
    range ?? '',
    contentRange ?? '',
  ];
  for (const text of cells) {
    const cell = document.createElement('td');
    cell.textContent = String(text);
    cell.title = cell.textContent;
    row.append(cell);
  }
  return row;
}

/** The name of the track and what was asked of it; not what opens it: panels are shown around. */
function shorten(/** @type {string} */ url) {
  const { pathname, search } = new URL(url, location.href);
  const [, , , id = '', ...rest] = pathname.replace(PLAYBACK_ID, '/…').split('/');
  const name = decodeURIComponent(id).split('/').at(-1);
  return ['', name, ...rest].join('/') + search.replace(/(grant=)[^&]*/, '$1…');
}

function formatBytes(/** @type {number} */ count) {
  if (count < 1000) return `${count} B`;
  if (count < 1_000_000) return `${(count / 1000).toFixed(1)} kB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}
