-- leased -> retry, and the login breaker opens. Called by the holder when the server refused its login.
-- Negative outcomes count only from the current token: an old one says nothing about the login of today.
-- Not this mail's fault: no strike, no age limit; the job waits for the next probe.
-- Replay-safe: an open breaker stays as it is; the same token finds `retry`.
-- ARGV id, fence, error, worker, probe (ms), fraction 0-1, first look (ms)
local id = ARGV[1]
local v = get(id, 'state', 'fence')
if v[2] ~= ARGV[2] then return { 'stale', v[1] or 'gone' } end
if v[1] == 'retry' then return { 'retry', '' } end
if v[1] ~= 'leased' and v[1] ~= 'sending' then return { 'stale', v[1] } end
if not breaker_open() then
  local wait = math.floor(ARGV[5] * (0.5 + ARGV[6] / 2))
  redis.call('HSET', BREAKER, 'open', '1', 'since', NOW, 'probe_at', NOW + wait, 'every', ARGV[5], 'reason', ARGV[3])
  count('breaker_opened')
end
move(id, v[1], 'retry')
set(id, 'not_before', 0, 'every', ARGV[7], 'error', ARGV[3], 'detail', 'waiting for a login to work: ' .. ARGV[3])
redis.call('ZREM', FIRST, id)
look_at(id, after_probe())
count('retried')
note(id, 'retry', v[2], ARGV[4], 'login refused: ' .. ARGV[3])
return { 'retry', '' }
