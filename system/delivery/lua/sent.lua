-- anything -> sent. Called with true evidence (a complete 250): accepted from any token, also out of
-- doubt and even out of `failed`, because the mail is stored whatever the record believed.
-- Replay-safe: each token is noted once; a second token that also got its 250 is an honest duplicate.
-- ARGV id, fence, reply, worker, meta, meta ttl (s)
local id, fence = ARGV[1], ARGV[2]
local state = get(id, 'state')[1]
if not state then return { 'gone', '' } end
if redis.call('HSETNX', job_key(id), 'stored:' .. fence, NOW) == 0 then return { 'ok', 'sent' } end
if state == 'sent' then
  count('duplicates')
  note(id, 'sent', fence, ARGV[4], 'stored again: ' .. ARGV[3])
  return { 'ok', 'duplicate' }
end
if state == 'in_doubt' then count('doubt_stored') end
finish(id, state, 'sent', { meta = ARGV[5], meta_ttl_s = ARGV[6] })
set(id, 'reply', ARGV[3])
note(id, 'sent', fence, ARGV[4], state == 'sending' and ARGV[3] or ('out of ' .. state .. ': ' .. ARGV[3]))
return { 'ok', 'sent' }
