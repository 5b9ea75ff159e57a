-- Drops jobs from the list whose records have expired. Called by the periodic clean-up, oldest first.
-- Replay-safe: the second run finds fewer.
-- ARGV skip (so many were looked at and stay), limit, younger than this stay (ms)
local ids = redis.call('ZRANGE', JOBS, ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
local looked, dropped = 0, 0
for n = 1, #ids, 2 do
  if tonumber(ids[n + 1]) > NOW - ARGV[3] then break end
  looked = looked + 1
  if redis.call('EXISTS', job_key(ids[n])) == 0 then
    redis.call('ZREM', JOBS, ids[n])
    dropped = dropped + 1
  end
end
return { looked, dropped }
