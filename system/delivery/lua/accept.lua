-- (nothing) -> queued. Called by the API for POST /jobs.
-- Replay-safe: the caller repeats the same job id, and finds its own binding or its own record.
-- ARGV id, idempotency key ('' none), idem redis key, fingerprint, kind, to, subject, body,
--      first look (ms from now, negative: not in the due set), terminal ttl (s), idem ttl (s), mail domain
local id, idem = ARGV[1], ARGV[3]
local function answer(how, whose)
  local v = get(whose, 'state', 'created')
  return { how, whose, v[1] or 'gone', v[2] or '0' }
end

if ARGV[2] ~= '' then
  local bound = redis.call('GET', idem)
  if bound then
    local whose, print = string.match(bound, '^(%S+) (%S+)$')
    if print ~= ARGV[4] then return { 'conflict', whose, '', '0' } end
    if whose ~= id then return answer('replayed', whose) end
  end
end
if redis.call('EXISTS', job_key(id)) == 1 then return answer('new', id) end

if ARGV[2] ~= '' then redis.call('SET', idem, id .. ' ' .. ARGV[4]) end
set(id, 'kind', ARGV[5], 'key', ARGV[2], 'to', ARGV[6], 'subject', ARGV[7], 'body', ARGV[8],
  'created', NOW, 'fence', 0, 'strikes', 0, 'until', 0, 'not_before', 0, 'every', ARGV[9],
  'ttl_s', ARGV[10], 'idem', ARGV[2] ~= '' and idem or '', 'idem_ttl_s', ARGV[11], 'domain', ARGV[12])
move(id, nil, 'queued')
if tonumber(ARGV[9]) >= 0 then look_at(id, NOW + ARGV[9]) end
count('accepted')
note(id, 'accepted', 0, '', '')
return answer('new', id)
