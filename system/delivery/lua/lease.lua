-- queued, retry, leased (run out) -> leased, with a new fencing token. Called by a worker for a hint.
-- Replay-safe: the owner is new for every execution, so the same owner finds its own live lease.
-- An expired lease in `sending` is a doubt, never a retry.
-- ARGV id, owner, lease (ms), worker, hint
local id, owner = ARGV[1], ARGV[2]
local v = get(id, 'state', 'owner', 'until', 'fence', 'not_before', 'kind')
redis.call('ZREM', HINTED, id)
local state, fence, live = v[1], v[4], tonumber(v[3] or 0) > NOW
if not state then
  look_no_more(id)
  return { 'gone', '' }
end
if TERMINAL[state] then return { 'terminal', state } end

local function granted(token)
  local m = get(id, 'key', 'payload', 'domain')
  return { 'granted', token, v[6], m[1], m[2], m[3] or '' }
end
if live and state == 'leased' and v[2] == owner then return granted(fence) end
if live and (state == 'leased' or state == 'sending') then return { 'busy', '' } end
if state == 'sending' then
  doubt(id, fence, ARGV[4])
  look_first_at(id, NOW)
  state = 'in_doubt'
end
if state == 'in_doubt' then return { 'doubt', '' } end
if tonumber(v[5]) > NOW then return { 'early', v[5] } end
if v[6] == 'email' and breaker_open() then
  look_at(id, after_probe())
  return { 'paused', '' }
end

if state == 'leased' then
  count('leases_lost')
  note(id, 'retry', fence, ARGV[4], 'the lease ended before the mail was handed over')
end
fence = redis.call('HINCRBY', job_key(id), 'fence', 1)
move(id, state, 'leased', 'owner', owner, 'until', NOW + ARGV[3], 'detail', '')
look_first_at(id, NOW + ARGV[3])
count('leases')
note(id, 'leased', fence, ARGV[4], ARGV[5])
return granted(fence)
