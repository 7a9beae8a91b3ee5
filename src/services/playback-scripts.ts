import { createRedisScript } from './redis-script';

/** How long a playback counts after its last byte or report. */
export const ACTIVE_MS = 30_000;
/** How long it counts after a report that says it plays: a browser buffers minutes. */
export const PLAYING_MS = 90_000;
/** How long an open response counts whose player has said `stopped`: until the next renewal, and some. */
const STOPPED_LEASE_MS = 10_000;
/** A record lives this much longer than it opens anything: the clocks of replicas differ. */
const CLOCKS_DIFFER_MS = 60_000;
/** What is listened to without pause counts from here on, or from half of a shorter track. */
const PLAY_MS = 30_000;
/** Reports arrive now sooner and now later; in all, no more than this is heard beyond the time that passes. */
const JITTER_MS = 1_000;

/** What the record of a playback says of it. */
export const CONDITIONS = ['missing', 'open', 'ended'] as const;

/**
 * What the scripts share. A playback's record is a hash; the sorted set of its subject holds the
 * records that count, by when they cease to. That set and the other records of a subject are found
 * by what lies in Redis, not among KEYS: this needs one Redis, not a cluster, as the client does.
 *
 * ARGV[1] prefix of the sets; ARGV[2] milliseconds that a listener may pause.
 */
const COMMON = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local MISSING, OPEN, ENDED = 0, 1, 2

local function read(key)
  local f = redis.call('HMGET', key, 'subject', 'endsAt', 'latestEnd', 'duration', 'playingUntil',
    'isRevoked', 'isStopped')
  if not f[1] then return { state = MISSING } end
  local endsAt = tonumber(f[2])
  return {
    state = (f[6] or endsAt <= now) and ENDED or OPEN,
    subject = f[1], endsAt = endsAt, latestEnd = tonumber(f[3]), duration = tonumber(f[4]) or 0,
    playingUntil = tonumber(f[5]) or 0, isStopped = f[7]
  }
end

local function keepUntil(key, endsAt)
  redis.call('PEXPIREAT', key, endsAt + ${CLOCKS_DIFFER_MS})
end

local function countUntil(key, subject, ms)
  local set = ARGV[1] .. subject
  if ms > now then
    redis.call('ZADD', set, ms, key)
    redis.call('PEXPIRE', set, ${PLAYING_MS})
  else
    redis.call('ZREM', set, key)
  end
end

local function moveEnd(key, record)
  local endsAt = math.min(now + record.duration + ARGV[2], record.latestEnd)
  if endsAt <= record.endsAt then return record.endsAt end
  redis.call('HSET', key, 'endsAt', endsAt)
  keepUntil(key, endsAt)
  return endsAt
end

local function revoke(key, record)
  redis.call('HSET', key, 'isRevoked', 1)
  keepUntil(key, math.max(record.endsAt, record.latestEnd))
  redis.call('ZREM', ARGV[1] .. record.subject, key)
end

-- ARGV from i on: id, track, subject, then milliseconds: since its start, to its end, to its latest
-- end, and of the track, 0 where that is not known
local function create(key, i)
  local endsAt = now + ARGV[i + 4]
  redis.call('HSET', key, 'id', ARGV[i], 'track', ARGV[i + 1], 'subject', ARGV[i + 2],
    'startedAt', now - ARGV[i + 3], 'endsAt', endsAt, 'latestEnd', now + ARGV[i + 5],
    'duration', ARGV[i + 6], 'activeAt', now)
  keepUntil(key, endsAt)
  countUntil(key, ARGV[i + 2], now + ${ACTIVE_MS})
end
`;

/** Values of a playback that `create` in Lua takes. */
export const CREATE_VALUES = 7;

/**
 * KEYS: the new record, the set of its subject; ARGV[3] cap, 0 for none; [4] 1 to end the oldest;
 * [5] and on: what `create` takes. Answers 1 when it has begun, else 0, and the playbacks that were
 * ended for it or are in its way: key, id, track, start and last activity of each.
 */
export const BEGIN = createRedisScript(`${COMMON}
local running = {}
local cap = tonumber(ARGV[3])
if cap > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  for _, key in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
    local record = read(key)
    if record.state == OPEN then
      local f = redis.call('HMGET', key, 'id', 'track', 'startedAt', 'activeAt')
      running[#running + 1] = { key, f[1], f[2], f[3], f[4], record }
    else
      redis.call('ZREM', KEYS[2], key)
    end
  end
  table.sort(running, function(a, b)
    if a[4] ~= b[4] then return tonumber(a[4]) < tonumber(b[4]) end
    return a[1] < b[1]
  end)
end
local reply = {}
local excess = cap > 0 and #running + 1 - cap or 0
local isRefused = excess > 0 and ARGV[4] ~= '1'
for i = 1, isRefused and #running or excess do
  local record = table.remove(running[i])
  if not isRefused then revoke(running[i][1], record) end
  reply[i] = running[i]
end
if isRefused then return { 0, reply } end
create(KEYS[1], 5)
return { 1, reply }
`);

/**
 * KEYS: records; ARGV[3] for each of them how it is used, one letter of `TOUCHES`. Answers with a
 * digit for each: what condition it is in.
 */
export const TOUCH = createRedisScript(`${COMMON}
local states = {}
for i, key in ipairs(KEYS) do
  local record = read(key)
  local how = string.sub(ARGV[3], i, i)
  states[i] = record.state
  if record.state == OPEN and how ~= 'l' then
    moveEnd(key, record)
    redis.call('HSET', key, 'activeAt', now)
    local tail = ${ACTIVE_MS}
    if record.isStopped then
      if how == 'b' then redis.call('HDEL', key, 'isStopped')
      elseif how == 'o' then tail = ${STOPPED_LEASE_MS}
      else tail = 0 end
    end
    countUntil(key, record.subject, math.max(now + tail, record.playingUntil))
  end
end
return table.concat(states)
`);

/** KEYS: records; ARGV[3] and on: what `create` takes for each. What is there stays as it is. */
export const RESTORE = createRedisScript(`${COMMON}
for i, key in ipairs(KEYS) do
  if redis.call('EXISTS', key) == 0 then create(key, 3 + (i - 1) * ${CREATE_VALUES}) end
end
`);

/** KEYS[1] record; ARGV[3] subject. Answers the end, or a condition when there is none to move. */
export const EXTEND = createRedisScript(`${COMMON}
local record = read(KEYS[1])
if record.state ~= OPEN then return record.state end
if record.subject ~= ARGV[3] then return ENDED end
return moveEnd(KEYS[1], record)
`);

/** KEYS[1] record; ARGV[3] subject. Answers a condition: `open` when it is another's, and stays so. */
export const END = createRedisScript(`${COMMON}
local record = read(KEYS[1])
if record.state == MISSING then return MISSING end
if record.subject ~= ARGV[3] then return OPEN end
revoke(KEYS[1], record)
return ENDED
`);

/**
 * KEYS: record, stream of plays; ARGV[3] subject as in the record, [4] as in the event, [5] position
 * in ms, [6] state, [7] length of the stream. Answers the condition and, when it is open, the end, 1
 * when the play is counted, and why the stream did not take it.
 *
 * What was heard since the last report, if that said `playing`, is the way the position has moved
 * forward, but no more than the time that has passed, of which a report vouches for 90 s.
 */
export const REPORT = createRedisScript(`${COMMON}
local key = KEYS[1]
local record = read(key)
if record.state ~= OPEN then return { record.state } end
if record.subject ~= ARGV[3] then return { ENDED } end
local f = redis.call('HMGET', key, 'position', 'reportedAt', 'wasPlaying', 'listened', 'jitter',
  'isCounted', 'id', 'track', 'startedAt')
local position, listened = tonumber(ARGV[5]), tonumber(f[4]) or 0
local jitter = tonumber(f[5]) or ${JITTER_MS}
if f[3] == '1' then
  local room = math.max(0, math.min(now - f[2], ${PLAYING_MS})) + jitter
  local heard = math.max(0, math.min(position - f[1], room))
  jitter = math.min(${JITTER_MS}, room - heard)
  listened = listened + heard
end

local isPlaying = ARGV[6] == 'playing'
local isStopped = ARGV[6] == 'stopped'
local tail = isPlaying and ${PLAYING_MS} or isStopped and 0 or ${ACTIVE_MS}
redis.call('HSET', key, 'activeAt', now, 'position', position, 'reportedAt', now,
  'wasPlaying', isPlaying and 1 or 0, 'listened', listened, 'jitter', jitter,
  'playingUntil', isPlaying and now + tail or 0)
if isStopped then redis.call('HSET', key, 'isStopped', 1) else redis.call('HDEL', key, 'isStopped') end
countUntil(key, record.subject, now + tail)
local endsAt = moveEnd(key, record)

local enough = record.duration > 0 and math.min(${PLAY_MS}, record.duration / 2) or ${PLAY_MS}
if f[6] then return { OPEN, endsAt, 1 } end
if listened < enough then return { OPEN, endsAt, 0 } end
local event = { 'version', 1, 'playbackId', f[7], 'trackId', f[8], 'subject', ARGV[4],
  'startedAtMs', f[9], 'countedAtMs', now, 'listenedMs', listened, 'positionMs', position }
if record.duration > 0 then
  event[#event + 1] = 'durationMs'
  event[#event + 1] = record.duration
end
local added = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], '*', unpack(event))
if type(added) == 'table' and added.err then return { OPEN, endsAt, 0, added.err } end
redis.call('HSET', key, 'isCounted', 1)
return { OPEN, endsAt, 1 }
`);
