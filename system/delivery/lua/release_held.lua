-- Doubts that were held for an operator become due again. Called by the relay, when the settings
-- now say that someone can be asked, or that doubts are to be resent.
-- One that was sent again and refused is not released to be resent; it goes to the end of the line.
-- Replay-safe: the second run finds nothing.
-- ARGV answer to come (ask|resend)
local ids = redis.call('ZRANGE', HELD, 0, 999)
local number = 0
for _, id in ipairs(ids) do
  if ARGV[1] == 'resend' and (get(id, 'refused')[1] or '') ~= '' then
    redis.call('ZADD', HELD, NOW, id)
  else
    look_first_at(id, NOW)
    redis.call('ZREM', HELD, id)
    number = number + 1
  end
end
return { 'ok', tostring(number) }
