-- The login breaker: open -> closed, or open until a later probe. Called by the task mail.probe_login.
-- Replay-safe: closing a closed breaker changes nothing; a repeated failure only puts the next probe off.
-- ARGV answer (ok|refused), reason, probe (ms), cap (ms), fraction 0-1
if not breaker_open() then return { 'closed', '' } end
if ARGV[1] == 'ok' then
  redis.call('HINCRBY', BREAKER, 'outage_ms', math.floor(NOW - (tonumber(redis.call('HGET', BREAKER, 'since')) or NOW)))
  redis.call('HSET', BREAKER, 'open', '0', 'closed_at', NOW, 'every', ARGV[3])
  return { 'closed', '' }
end
local every = math.min(tonumber(ARGV[4]), 2 * (tonumber(redis.call('HGET', BREAKER, 'every')) or ARGV[3]))
local wait = math.floor(every * (0.5 + ARGV[5] / 2))
redis.call('HSET', BREAKER, 'every', every, 'probe_at', NOW + wait, 'reason', ARGV[2])
return { 'open', tostring(wait) }
