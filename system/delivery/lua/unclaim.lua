-- Gives back ids that were claimed but could not be published. Called by the relay when the broker refuses.
-- The interval starts again, so that a long broker outage does not end in a long wait.
-- Replay-safe: the same scores are written again.
-- ARGV first (ms), wait (ms), ids...
for i = 3, #ARGV do
  if redis.call('ZSCORE', DUE, ARGV[i]) then
    set(ARGV[i], 'every', ARGV[1])
    look_at(ARGV[i], NOW + ARGV[2])
    redis.call('ZREM', HINTED, ARGV[i])
  end
end
return { 'ok', '' }
