-- leased, sending -> retry (or, when too old or too often, failed; in_doubt and held where an earlier copy may be
-- stored). Called by the holder with a definite, temporary no.
-- Negative outcomes count only from the current token. Full jitter: the caller brings the random fraction,
-- because Lua's own generator starts from the same seed in every script.
-- The age counts from the first strike, without the time of refused logins and of doubts.
-- Without a strike (a lost lease) nothing is counted and nothing ages.
-- Replay-safe: the same token finds `retry` or `failed` and gets the same answer.
-- ARGV id, fence, error, worker, base (ms), cap (ms), fraction 0-1, max age (ms), first look (ms), strike (1/0),
--      most retries (0: any number), meta, meta ttl (s)
local id = ARGV[1]
local v = get(id, 'state', 'fence', 'strikes', 'first_refused', 'outage_then', 'doubted_ms', 'maybe_stored',
  'refused')
if v[2] ~= ARGV[2] then return { 'stale', v[1] or 'gone' } end
if v[1] == 'in_doubt' and v[8] == v[2] then return { 'in_doubt', 'held' } end
if v[1] == 'retry' or v[1] == 'failed' then return { v[1], '' } end
if v[1] ~= 'leased' and v[1] ~= 'sending' then return { 'stale', v[1] } end

local strike, age = tonumber(ARGV[10]), 0
if strike == 1 and v[4] then
  age = NOW - v[4] - (outage() - (v[5] or 0)) - (v[6] or 0)
elseif strike == 1 then
  set(id, 'first_refused', NOW, 'outage_then', outage(), 'doubted_ms', 0)
end
local most = tonumber(ARGV[11])
local often = most > 0 and strike == 1 and tonumber(v[3]) >= most
if often or age > tonumber(ARGV[8]) then
  local why = often and ARGV[3] or 'gave up after ' .. math.floor(age / 1000) .. ' s: ' .. ARGV[3]
  if v[7] == '1' then return hold_refused(id, v[1], v[2], ARGV[4], why) end
  finish(id, v[1], 'failed', { error = why, meta = ARGV[12], meta_ttl_s = ARGV[13] })
  note(id, 'failed', v[2], ARGV[4], why)
  return { 'failed', why }
end
local longest = math.min(tonumber(ARGV[6]), ARGV[5] * 2 ^ math.min(tonumber(v[3]), 30))
local wait = math.floor(longest * ARGV[7])
move(id, v[1], 'retry')
set(id, 'strikes', v[3] + strike, 'not_before', NOW + wait, 'every', ARGV[9], 'error', ARGV[3],
  'detail', 'waiting for retry: ' .. ARGV[3])
redis.call('ZREM', FIRST, id)
look_at(id, NOW + wait)
count('retried')
note(id, 'retry', v[2], ARGV[4], 'in ' .. wait .. ' ms: ' .. ARGV[3])
return { 'retry', '' }
