-- Sends the requests that bench/wrk.ts has written to a file, one after the other: path, Range and
-- If-None-Match, separated by tabs. They are put together once, so that wrk's core goes into traffic.

local requests = {}
local at = 0

function init()
  local authorization = os.getenv('BENCH_AUTHORIZATION')
  for line in io.lines(os.getenv('BENCH_REQUESTS')) do
    local path, range, etag = line:match('^([^\t]*)\t([^\t]*)\t([^\t]*)$')
    local headers = { ['Authorization'] = authorization }
    if range ~= '' then headers['Range'] = range end
    if etag ~= '' then headers['If-None-Match'] = etag end
    requests[#requests + 1] = wrk.format('GET', path, headers)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"bytes":%d,"microseconds":%d,"failures":{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}\n',
    summary.requests, summary.bytes, summary.duration,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
