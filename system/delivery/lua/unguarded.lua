-- Writes down what a policy without a ledger does; guards nothing and refuses nothing. Called by the worker
-- under claim-first, mark-after and none. A terminal state stays, but the trail tells what came after it.
-- Not replay-safe on purpose: these are the guards that people really write.
-- ARGV id, event (leased|sending|sent|done|retry|failed|in_doubt), worker, words (of `done`: the result), meta,
--      meta ttl (s)
local id, event = ARGV[1], ARGV[2]
local v = get(id, 'state', 'fence', 'kind', 'key', 'payload', 'domain')
local state, fence = v[1], v[2]
if not state then return { 'gone', '' } end
if event == 'leased' then
  fence = redis.call('HINCRBY', job_key(id), 'fence', 1)
  count('leases')
  redis.call('ZREM', HINTED, id)
end
note(id, event, fence, ARGV[3], ARGV[4])
if TERMINAL[state] then
  if event == 'sent' then count('duplicates') end
elseif event == 'sent' or event == 'done' or event == 'failed' then
  finish(id, state, event, {
    error = event == 'failed' and ARGV[4] or nil, result = event == 'done' and ARGV[4] or nil,
    meta = ARGV[5], meta_ttl_s = ARGV[6],
  })
else
  move(id, state, event)
  if event == 'retry' then count('retried') end
  if event == 'in_doubt' then count('in_doubt') end
  set(id, 'detail', ARGV[4])
end
return { 'granted', fence, v[3], v[4], v[5], v[6] or '' }
