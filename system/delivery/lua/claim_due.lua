-- Takes what is due, moves each score on, and returns what to publish: ids,
-- kinds, and whether each is urgent. Called by the relay; any number of
-- relays may, because a score moved on is no longer due. leased (run out) -> queued; sending (run out) -> in_doubt.
-- Replay-safe: a reply that got lost only means that these ids are looked at one interval later.
-- The interval doubles per job while nothing happens to it, so that a backlog is not amplified.
-- Ended leases and doubts go before what merely waits its turn. While more than `most` republished hints wait, the
-- rest stays where it is, oldest first, so that nothing starves and hints do not pile up; with `limit` more than
-- that nothing is claimed at all. How many wait is the lower of two counts: the broker may count fresh hints too,
-- and of those counted here some may be lost.
-- ARGV limit, first (ms), longest (ms), time for a probe (ms), most, what the broker counts
local limit, first, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', HINTED, '-inf', NOW - math.max(60000, 4 * longest))
local waiting = math.min(redis.call('ZCARD', HINTED), tonumber(ARGV[6])) - ARGV[5]
if waiting > limit then limit = 0 end
redis.call('SET', RELAY, NOW)
local open, probe = breaker_open(), 0
if open and tonumber(redis.call('HGET', BREAKER, 'probe_at')) <= NOW then
  redis.call('HSET', BREAKER, 'probe_at', NOW + ARGV[4])
  probe = 1
end

local out = { probe, 0 }
local function claim(id, urgent)
  local v = get(id, 'state', 'until', 'fence', 'every', 'kind')
  local state, live = v[1], tonumber(v[2] or 0) > NOW
  if not state or TERMINAL[state] then
    look_no_more(id)
  elseif live and (state == 'leased' or state == 'sending') then
    look_at(id, tonumber(v[2]))
  else
    if state == 'sending' then
      doubt(id, v[3], '')
      state = 'in_doubt'
    elseif state == 'leased' then
      move(id, 'leased', 'queued')
      count('leases_lost')
      note(id, 'retry', v[3], '', 'the lease ended before the mail was handed over')
      state = 'queued'
    end
    if open and state ~= 'in_doubt' and v[5] == 'email' then
      look_at(id, after_probe())
    else
      local every = math.max(first, tonumber(v[4] or 0))
      set(id, 'every', math.min(longest, every * 2))
      look_at(id, NOW + every)
      count('republished')
      note(id, 'republished', v[3], '', 'next look in ' .. every .. ' ms')
      out[#out + 1] = id
      out[#out + 1] = v[5]
      out[#out + 1] = urgent
      redis.call('ZADD', HINTED, NOW, id)
    end
  end
end

local function claim_from(set_of, number, urgent)
  local ids = redis.call('ZRANGEBYSCORE', set_of, '-inf', NOW, 'LIMIT', 0, number)
  for _, id in ipairs(ids) do claim(id, urgent) end
  out[2] = out[2] + #ids
end
claim_from(FIRST, limit, 1)
if waiting <= 0 and out[2] < limit then claim_from(DUE, limit - out[2], 0) end
return out
