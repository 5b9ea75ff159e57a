-- Put in front of every script: names, the clock, and the three things every transition does.
-- Never a transition itself. All keys carry the tag {mail}, so they share one cluster slot (KEYS[1] routes).
local P = '{mail}:'
local DUE, HELD, STATS, BREAKER, RELAY = P .. 'due', P .. 'held', P .. 'stats', P .. 'breaker', P .. 'relay'
-- Those of the due set that do not merely wait their turn: leases and what became of them, and doubts.
local FIRST = P .. 'first'
-- Jobs whose republished hint nobody has taken yet.
local HINTED = P .. 'hinted'
-- Two lists for people: all jobs by acceptance, and those in doubt.
local JOBS, DOUBTS = P .. 'jobs', P .. 'doubts'
-- Jobs that have not ended, by acceptance, so that the age of the oldest is known.
local OPEN = P .. 'open'
local TRAIL_MAX = 50
local TERMINAL = { sent = true, done = true, failed = true, cancelled = true }
local PUBLIC = { sent = 'SUCCESS', done = 'SUCCESS', failed = 'FAILURE', cancelled = 'REVOKED' }

-- The server's clock is the only one that all processes share.
local time = redis.call('TIME')
local NOW = time[1] * 1000 + math.floor(time[2] / 1000)

local function job_key(id) return P .. 'job:' .. id end
local function get(id, ...) return redis.call('HMGET', job_key(id), ...) end
local function set(id, ...) redis.call('HSET', job_key(id), 'updated', NOW, ...) end
local function count(field, by) redis.call('HINCRBY', STATS, field, by or 1) end
local function look_at(id, at)
  redis.call('ZADD', DUE, at, id)
  redis.call('ZADD', FIRST, 'XX', at, id)
end
local function look_first_at(id, at)
  redis.call('ZADD', DUE, at, id)
  redis.call('ZADD', FIRST, at, id)
end
local function look_no_more(id)
  redis.call('ZREM', DUE, id)
  redis.call('ZREM', FIRST, id)
end

local function note(id, event, fence, worker, detail)
  local key = P .. 'trail:' .. id
  local length = redis.call('RPUSH', key, cjson.encode({
    at_ms = NOW, event = event, fence = tonumber(fence) or 0, worker = worker or '', detail = detail or '',
  }))
  if length > TRAIL_MAX then redis.call('LTRIM', key, -TRAIL_MAX, -1) end
end

-- Changes the state and keeps the census (now:<state>) and the list of doubts with it, so that both are exact
-- across any kill.
local function move(id, from, to, ...)
  if from ~= to then
    count('now:' .. from, -1)
    count('now:' .. to, 1)
    if to == 'in_doubt' then redis.call('ZADD', DOUBTS, NOW, id) end
    if from == 'in_doubt' then redis.call('ZREM', DOUBTS, id) end
  end
  set(id, 'state', to, ...)
end

-- (nothing) -> queued: writes a new record. `every` (ms from now to the first look) may be negative: then it is
-- not in the due set. `j`: kind, key, payload, idem, notify, notify_id, priority; `k`: how long it is kept.
local function create(id, j, every, k)
  redis.call('HSET', job_key(id), 'updated', NOW, 'created', NOW, 'state', 'queued', 'kind', j.kind, 'key', j.key,
    'payload', j.payload, 'fence', 0, 'strikes', 0, 'until', 0, 'not_before', 0, 'every', every,
    'idem', j.idem, 'notify', j.notify, 'notify_id', j.notify_id, 'priority', j.priority,
    'ttl_s', k.ttl_s, 'idem_ttl_s', k.idem_ttl_s, 'domain', k.domain)
  count('now:queued', 1)
  count('accepted')
  if tonumber(every) >= 0 then redis.call('ZADD', DUE, NOW + every, id) end
  redis.call('ZADD', JOBS, NOW, id)
  redis.call('ZADD', OPEN, NOW, id)
  note(id, 'accepted', 0, '', '')
end

-- The mail that tells how a job ended. Its key is made from its parent's, so that it can be foretold.
local function tell(id, to, result, err)
  local v = get(id, 'notify', 'notify_id', 'kind', 'key', 'ttl_s', 'idem_ttl_s', 'domain', 'payload')
  if not v[1] or v[1] == '' or redis.call('EXISTS', job_key(v[2])) == 1 then return end
  local words = 'It came to nothing.'
  if to == 'done' then
    words = cjson.decode(result)
    words = 'Result: ' .. (type(words) == 'string' and words or result)
  elseif to == 'sent' then
    words = 'Result: Email sent to ' .. cjson.decode(v[8]).to
  elseif to == 'failed' then
    words = 'Error: ' .. (err or '')
  end
  create(v[2], {
    kind = 'email', key = v[4] ~= '' and v[4] .. '+notify' or '', idem = '', notify = '', notify_id = '', priority = 'normal',
    payload = cjson.encode({
      to = v[1],
      subject = 'Job ' .. id .. ' (' .. v[3] .. ') ended: ' .. PUBLIC[to],
      body = 'Job ' .. id .. ' of the kind ' .. v[3] .. ' ended with ' .. PUBLIC[to] .. '.\n\n' .. words .. '\n',
    }),
  }, 0, { ttl_s = v[5], idem_ttl_s = v[6], domain = v[7] })
end

-- Ends a job. The idempotency key lives as long as its job, and its time to live after that.
-- `o`: result (JSON text), error, and for Celery's result backend meta (an opaque text) and meta_ttl_s.
local function finish(id, from, to, o)
  move(id, from, to, 'detail', '', 'error', o.error or '', 'result', o.result or '')
  count(to)
  look_no_more(id)
  redis.call('ZREM', HELD, id)
  redis.call('ZREM', OPEN, id)
  local v = get(id, 'ttl_s', 'idem', 'idem_ttl_s')
  redis.call('EXPIRE', job_key(id), v[1])
  redis.call('EXPIRE', P .. 'trail:' .. id, v[1])
  if v[2] and v[2] ~= '' then redis.call('EXPIRE', v[2], v[3]) end
  if o.meta and o.meta ~= '' then
    local key = 'celery-task-meta-' .. id
    redis.call('SET', key, o.meta, 'EX', o.meta_ttl_s)
    redis.call('PUBLISH', key, o.meta)
  end
  tell(id, to, o.result, o.error)
end

-- The earlier conversation can no longer be completed, and nobody wrote down how it ended.
local function doubt(id, fence, worker)
  move(id, 'sending', 'in_doubt')
  set(id, 'asker', '', 'ask_every', 0, 'doubted', fence, 'doubted_at', NOW,
    'detail', 'no clear answer to the final dot')
  count('in_doubt')
  note(id, 'in_doubt', fence, worker, 'the lease ended without an answer to the final dot')
end

-- A definite no for a mail that was sent again in doubt: the first copy may be stored, so `failed` would be
-- a guess. It waits for an operator, or for somebody who can be asked.
local function hold_refused(id, from, fence, worker, why)
  move(id, from, 'in_doubt')
  look_no_more(id)
  redis.call('ZADD', HELD, NOW, id)
  set(id, 'asker', '', 'ask_every', 0, 'doubted_at', NOW, 'refused', fence, 'error', why,
    'detail', 'in doubt, held for an operator: an earlier copy may be stored, the last was refused: ' .. why)
  count('in_doubt')
  note(id, 'in_doubt', fence, worker, 'an earlier copy may be stored, this one was refused: ' .. why)
  return { 'in_doubt', 'held' }
end

local function breaker_open() return redis.call('HGET', BREAKER, 'open') == '1' end

-- When a job that waits for a login should be looked at again: at the next probe, never in the past.
local function after_probe()
  return math.max(tonumber(redis.call('HGET', BREAKER, 'probe_at') or 0), NOW + 500)
end

-- Milliseconds for which logins were refused, since the beginning.
local function outage()
  local b = redis.call('HMGET', BREAKER, 'outage_ms', 'open', 'since')
  local now_open = b[2] == '1' and NOW - tonumber(b[3] or NOW) or 0
  return tonumber(b[1] or 0) + now_open
end
