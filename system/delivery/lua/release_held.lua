-- Doubts that were held for an operator become due again. Called by the relay at its start, when the settings
-- now say that someone can be asked, or that doubts are to be resent.
-- Replay-safe: the second run finds nothing.
local ids = redis.call('ZRANGE', HELD, 0, 999)
for _, id in ipairs(ids) do
  look_at(id, NOW)
  redis.call('ZREM', HELD, id)
end
return { 'ok', tostring(#ids) }
