-- in_doubt -> sent (stored), queued (absent, resend) or in_doubt (unknown, hold). Called by the asker, or
-- by an operator (owner 'operator'). `stored` is true evidence: taken from anyone, in any state.
-- `hold` leaves the due set for the held set: it waits for a person, so nobody should look at it again.
-- Replay-safe: the asker's name is kept with its verdict, so the same asker gets the same answer.
-- ARGV id, owner, answer, words, worker, ask again first (ms), at most (ms), first look (ms), meta, meta ttl (s)
local id, owner, answer = ARGV[1], ARGV[2], ARGV[3]
local v = get(id, 'state', 'asker', 'fence', 'ask_every', 'verdict_by', 'doubted', 'doubted_at', 'refused')
local state = v[1]
if not state then return { 'gone', '' } end
-- A person speaks of a doubt that they saw; a word about any other job is a mistake.
if owner == 'operator' and state ~= 'in_doubt' and not (answer == 'stored' and state == 'sent') then
  return { 'stale', state }
end
if answer == 'stored' then
  if state == 'sent' then return { 'sent', '' } end
  if state == 'in_doubt' then count('doubt_stored') end
  note(id, 'asked', v[3], ARGV[5], 'stored: ' .. ARGV[4])
  -- The late 250 of the doubted token is then the same copy, not a second one.
  if v[6] then redis.call('HSETNX', job_key(id), 'stored:' .. v[6], NOW) end
  finish(id, state, 'sent', { meta = ARGV[9], meta_ttl_s = ARGV[10] })
  note(id, 'sent', v[3], ARGV[5], 'by receipt')
  return { 'sent', '' }
end
if v[5] == owner and owner ~= 'operator' and v[2] == '' and (state == 'queued' or state == 'in_doubt') then
  return { state, '' }
end
if state ~= 'in_doubt' or (v[2] ~= owner and owner ~= 'operator') then return { 'stale', state } end

-- One that was sent again and refused is not sent a third time by policy.
if answer == 'resend' and (v[8] or '') ~= '' and owner ~= 'operator' then answer = 'hold' end
set(id, 'asker', '', 'verdict_by', owner)
if answer == 'absent' or answer == 'resend' then
  count(answer == 'absent' and 'doubt_absent' or 'doubt_resent')
  if answer == 'absent' then note(id, 'asked', v[3], ARGV[5], 'not stored: ' .. ARGV[4]) end
  move(id, 'in_doubt', 'queued')
  redis.call('ZREM', HELD, id)
  local why = answer == 'absent' and 'the receiver does not have it' or ('resent in doubt, may be a second copy: ' .. ARGV[4])
  set(id, 'not_before', 0, 'every', ARGV[8], 'detail', why, 'maybe_stored', answer == 'resend' and 1 or 0, 'refused', '')
  redis.call('HINCRBY', job_key(id), 'doubted_ms', NOW - (v[7] or NOW))
  note(id, 'retry', v[3], ARGV[5], why)
  look_first_at(id, NOW + ARGV[8])
  return { 'queued', '' }
end
if answer == 'hold' then
  look_no_more(id)
  redis.call('ZADD', HELD, NOW, id)
  set(id, 'detail', 'in doubt, held for an operator: ' .. ARGV[4])
  return { 'in_doubt', 'held' }
end
local every = math.min(tonumber(ARGV[7]), math.max(tonumber(ARGV[6]), 2 * tonumber(v[4] or 0)))
set(id, 'ask_every', every, 'detail', 'in doubt, the receiver could not say: ' .. ARGV[4])
look_first_at(id, NOW + every)
note(id, 'asked', v[3], ARGV[5], 'cannot say: ' .. ARGV[4])
return { 'in_doubt', '' }
