-- (nothing) -> queued, for one job or for a batch: all of them or none. Called by the API.
-- A key that is bound answers its own job. A key bound to another body refuses the whole; so does a full backlog.
-- Replay-safe: the caller repeats the same job ids, and finds its own bindings or its own records.
-- ARGV first look (ms from now, negative: not in the due set), terminal ttl (s), idem ttl (s), mail domain,
--      most unfinished jobs (0: any number), then for each job:
--      id, idempotency key ('' none), idem redis key, fingerprint, kind, payload, notify, notify id, priority
local every, most = ARGV[1], tonumber(ARGV[5])
local kept = { ttl_s = ARGV[2], idem_ttl_s = ARGV[3], domain = ARGV[4] }
local FIELDS, HEAD = 9, 5
local number = (#ARGV - HEAD) / FIELDS

-- First look, then write: a script that stops half-way is not taken back.
local how, whose, seen = {}, {}, {}
local fresh, conflict = 0, false
for n = 1, number do
  local at = HEAD + (n - 1) * FIELDS
  local id, idem, print = ARGV[at + 1], ARGV[at + 3], ARGV[at + 4]
  how[n], whose[n] = 'new', id
  if ARGV[at + 2] ~= '' then
    local bound = seen[idem] or redis.call('GET', idem)
    if bound then
      local owner, theirs = string.match(bound, '^(%S+) (%S+)$')
      if theirs ~= print then
        how[n], whose[n], conflict = 'conflict', owner, true
      elseif owner ~= id then
        how[n], whose[n] = 'replayed', owner
      end
    end
    seen[idem] = bound or (id .. ' ' .. print)
  end
  if how[n] == 'new' then
    if redis.call('EXISTS', job_key(id)) == 1 then how[n] = 'mine' else fresh = fresh + 1 end
  end
end
if not conflict and most > 0 and fresh > 0 then
  local waiting = redis.call('ZCARD', DUE)
  if waiting + fresh > most then return { 'full', tostring(waiting) } end
end

local out = { 'ok' }
for n = 1, number do
  local at = HEAD + (n - 1) * FIELDS
  local id, key = whose[n], ARGV[at + 2]
  local state = 'queued'
  if how[n] == 'new' and not conflict then
    if key ~= '' then redis.call('SET', ARGV[at + 3], id .. ' ' .. ARGV[at + 4]) end
    create(id, {
      kind = ARGV[at + 5], key = key, payload = ARGV[at + 6], idem = key ~= '' and ARGV[at + 3] or '',
      notify = ARGV[at + 7], notify_id = ARGV[at + 8], priority = ARGV[at + 9],
    }, every, kept)
  elseif how[n] ~= 'new' then
    state = get(id, 'state')[1] or 'gone'
  end
  out[#out + 1] = how[n] == 'mine' and 'new' or how[n]
  out[#out + 1] = id
  out[#out + 1] = state
end
return out
